"""Kills processes while simulated calls last, and says what that cost the callers."""
