"""What every voxbus service shares. Nothing here knows a service."""
