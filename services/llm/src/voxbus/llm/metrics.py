"""What an LLM worker counts."""

from __future__ import annotations

from voxbus.common.telemetry import counter, gauge, histogram_ms

REPLIES = counter("llm_replies", "Replies that ended, by why.", "reason")
SKIPPED = counter("llm_skipped", "Jobs that needed no answer, by why.", "reason")
STOPPED = counter("llm_stopped", "Replies that were stopped because the call went on without them.")
PROVIDER_ERRORS = counter("llm_provider_errors", "Failures of providers.", "provider", "cause")
TAKEN_OVER = counter("llm_taken_over", "Replies that another worker had begun.")
WRITTEN_BEFORE = counter("llm_written_before", "Events that were in the log already.")
JOB_FAILURES = counter("llm_job_failures", "Jobs that were handed over because of an error of ours.")
FIRST_TOKEN_MS = histogram_ms("llm_first_token", "Job received to the first token.")
SENTENCE_READY_MS = histogram_ms("llm_sentence_ready", "Job received to a sentence.")
TOOL_CALLS = counter(
    "llm_tool_calls", "Calls of the agents' own tools, by what came of them.", "tool", "outcome"
)
TOOL_MS = histogram_ms("llm_tool", "A tool called to its answer, or its failure.", "tool")
IN_WORK = gauge("llm_turns_in_work", "Turns that are being answered.")
