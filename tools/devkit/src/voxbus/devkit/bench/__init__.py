"""How fast the hot paths are on this machine."""
