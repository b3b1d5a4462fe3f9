"""What is in the tree that should not be: dependencies with known holes, and secrets."""
