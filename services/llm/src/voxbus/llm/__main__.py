"""``python -m voxbus.llm``: an LLM worker."""

from __future__ import annotations

from voxbus.common.run import run
from voxbus.llm.service import LlmService
from voxbus.llm.settings import LlmSettings

if __name__ == "__main__":
    run("llm", LlmSettings, LlmService)
