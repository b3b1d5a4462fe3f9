"""Nonsense for everything that reads what strangers write. Needs hypothesis, which is for development only.

A target is a strategy and a check. Whatever a strategy makes, a check raises for a crash, for an answer that promises
too much, or for memory that grows without bound; whatever the code under it refuses in its own words is fine.
"""
