"""What all pages of the project look like."""

from __future__ import annotations

from importlib.resources import files


def base_css() -> str:
    """Colours, light and dark, and type; a page's own style follows it."""
    return files(__package__).joinpath("base.css").read_text(encoding="utf-8")
