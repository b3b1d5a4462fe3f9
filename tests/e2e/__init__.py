"""Whole calls. A package, so that the stack which most of them share ends with the last of them."""
