"""What is configured here, and what is missing, capability by capability."""
