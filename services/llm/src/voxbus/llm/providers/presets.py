"""Servers of the ``openai`` protocol that many people use, by name: where they are, and a model to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Preset:
    """``base_url``, ``api_key``: fields of the settings. ``needs_key``: there is no use in asking without one."""

    model: str
    base_url: str
    api_key: str = ""
    needs_key: bool = True


PRESETS: Final = {
    "openai": Preset("gpt-4o-mini", "openai_base_url", "openai_api_key", needs_key=False),
    "together": Preset("meta-llama/Llama-3.3-70B-Instruct-Turbo", "together_base_url", "together_api_key"),
    "groq": Preset("llama-3.3-70b-versatile", "groq_base_url", "groq_api_key"),
    "ollama": Preset("llama3.2", "ollama_base_url", needs_key=False),
}
