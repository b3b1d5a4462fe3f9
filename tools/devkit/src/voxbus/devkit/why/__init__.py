"""What went wrong in a call, in plain words, from its log."""
