"""What an agent is: the definition that a call takes along in its ``started`` event.

Gateways load definitions from YAML files (``voxbus.common.agent_files``); nobody else needs the files. An agent may
override the turn rules and the providers of the workers; what it leaves out is the worker's own setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field


class Definition(BaseModel):
    """Unknown fields are ignored where a definition travels (a newer gateway may have sent it), not in files."""

    model_config = ConfigDict(frozen=True)


class Voice(Definition):
    """A voice by provider name. ``rate`` is words a minute, ``pitch`` 0-99 (eSpeak's scale; others map it)."""

    provider: str = ""
    name: str = ""
    rate: int = Field(default=165, ge=80, le=320)
    pitch: int = Field(default=50, ge=0, le=99)


class TurnRules(Definition):
    """Overrides of the turn rules of the STT worker; None = the worker's setting. See docs/configuration.md."""

    speech_start_prob: float | None = Field(default=None, gt=0, lt=1)
    speech_end_prob: float | None = Field(default=None, gt=0, lt=1)
    silence_duration_ms: int | None = Field(default=None, ge=100, le=5000)
    min_speech_ms: int | None = Field(default=None, ge=0, le=5000)
    barge_in_prob_threshold: float | None = Field(default=None, gt=0, lt=1)
    barge_in_consecutive_frames: int | None = Field(default=None, ge=1, le=50)
    eot_threshold: float | None = Field(default=None, gt=0, le=1)
    eager_eot_threshold: float | None = Field(default=None, ge=0, le=0.9)
    post_utterance_silence_ms: int | None = Field(default=None, ge=100, le=10000)
    max_turn_ms: int | None = Field(default=None, ge=1000, le=120000)
    no_input_ms: int | None = Field(default=None, ge=1000, le=60000)


#: Who types a code looks at the next thing after it. Twilio's <Gather> waits as long for a key.
LATE_TERMINATOR_MS: Final = 5000


class Dtmf(Definition):
    """How digits become an utterance: at ``terminator``, at ``length`` digits (0 = any), or after ``timeout_ms``."""

    terminator: str = Field(default="#", max_length=1)
    length: int = Field(default=0, ge=0, le=32)
    timeout_ms: int = Field(default=2000, ge=200, le=20000)

    def ends_code(self, digit: str, media_ms: int, before_ms: int | None) -> bool:
        """Whether the key at ``media_ms`` is the end of a code whose last key was at ``before_ms`` (None = no key was).

        The code may have been taken by then, for its length or the time: such a key means nothing by itself.
        """
        if digit != self.terminator or before_ms is None:
            return False
        return media_ms - before_ms <= max(self.timeout_ms, LATE_TERMINATOR_MS)


class Reply(Definition):
    """What the scripted dialogue does when an intent was recognized.

    ``say`` may use ``{variable}``, ``{slot}`` and ``{memory}``; the intent counts only while all of them are known.
    ``expect`` names the state that the dialogue enters; empty = it stays where it is. ``remember`` sets memory.
    ``repeat`` says the last reply again, after ``say``; ``transfer_call`` needs a ``target``, a name of the agent's
    ``transfer_targets``; ``do_not_call`` puts the number onto the list of those who are never called, and hangs up.

    ``tool`` is called first, with ``arguments`` in which placeholders are filled. ``learn`` sets memory from its answer
    (memory: field of the answer). When it failed, ``failed`` is said instead of ``say``; a tool that is not configured
    is passed over, and ``say`` is said with what is known.
    """

    say: str = ""
    expect: str = ""
    tool: str = ""
    arguments: Mapping[str, str] = Field(default_factory=dict)
    learn: Mapping[str, str] = Field(default_factory=dict)
    failed: str = ""
    remember: Mapping[str, str] = Field(default_factory=dict)
    action: Literal["", "repeat", "end_call", "transfer_call", "do_not_call"] = ""
    target: str = ""


class Intent(Definition):
    """Something a caller may mean, in the words of the agent's grammar.

    ``phrases`` are JSGF expansions over the rules of ``grammar`` (``<yes>``, ``<move> to <day>``); a rule that
    is a slot keeps its words. ``keys`` are digits pressed. ``state``: the states in which the intent counts, empty =
    all. In a state its own intents win over those for all; among equals the first.

    ``screener``: what a call screener says too, who picks up when we call. Before the greeting, ``answer``: it asks who
    calls and why, this reply answers, and the greeting waits. ``wait``: it puts us through, and nothing is said.
    """

    name: str
    phrases: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    screener: Literal["", "answer", "wait"] = ""
    reply: Reply


class Dialogue(Definition):
    """The scripted conversation: deterministic, no model, no keys.

    ``slots``: the rules of the grammar whose words are remembered, with how a value is said where that differs
    (``tuesday: Tuesday``). ``memory``: what is known from the start and may change (``booked_day``). ``otherwise``:
    the reply to words that no intent matches.
    """

    start: str = "start"
    slots: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
    memory: Mapping[str, str] = Field(default_factory=dict)
    intents: tuple[Intent, ...] = ()
    otherwise: Reply = Reply(say="I didn't catch that.")


class Lines(Definition):
    """What the agent says when no model was asked. ``voicemail``: the message that it leaves on a machine.

    ``recording_notice``: the first thing that a person hears of an agent that records, to its end.
    """

    greeting: str
    fallback: str = "I'm sorry, I lost my train of thought. Could you say that again?"
    goodbye: str = "Goodbye."
    do_not_call: str = "I understand. We will not call you again. Goodbye."
    no_words: tuple[str, ...] = ("I didn't catch that. Could you say it again?",)
    no_input: tuple[str, ...] = ("Are you still there?", "I can't hear you. Are you there?")
    no_capacity: str = "I'm sorry, all our lines are busy. Please call again in a few minutes."
    voicemail: str = ""
    recording_notice: str = ""
    fillers: tuple[str, ...] = ("One moment.",)


class Tool(Definition):
    """A request over HTTP that the agent may make during a call. See docs/agents.md for what becomes of it.

    ``{name}`` in ``url`` and ``headers`` stands for an argument, a variable of the agent, or one of ``call_sid`` and
    ``caller_number``; ``${NAME}`` for a variable of the LLM worker's environment, which is never sent to a model.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    description: str = Field(min_length=1, description="For the model: what it does, and when to call it.")
    arguments: Mapping[str, Any] = Field(
        default_factory=lambda: {"type": "object", "properties": {}},
        description="JSON Schema (2020-12) of the arguments, an object. Others than it names are refused.",
    )
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: str = Field(
        description="The only host that is asked. Arguments that it does not hold become the query (GET, DELETE), or "
        "the fields of a JSON body."
    )
    headers: Mapping[str, str] = Field(default_factory=dict)
    timeout_ms: int = Field(default=4000, ge=200, le=10000, description="For the whole answer.")
    meanwhile: str = Field(
        default="", description="Said when the answer takes long and nothing else was said yet in the reply."
    )
    idempotent: bool = Field(
        default=False,
        description="Doing it twice is as good as once: it may be repeated when a worker dies in the middle of it.",
    )
    private: bool = Field(
        default=False, description="The host's name may lead to a private address (10.x, 192.168.x, 127.x)."
    )
    optional: bool = Field(
        default=False, description="Without its variables the agent does without it; else it takes no calls."
    )
    redact: tuple[str, ...] = Field(
        default=(), description="Arguments, and fields of the answer, that are not kept in the call's log."
    )


class Agent(Definition):
    """A whole agent, as it travels in ``started``."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    description: str = ""
    language: str = "en-US"
    prompt: str = Field(description="The system prompt for a language model.")
    lines: Lines
    voice: Voice = Voice()
    turn: TurnRules = TurnRules()
    dtmf: Dtmf = Dtmf()
    grammar: str = Field(default="", description="JSGF, for recognizers that need one (pocketsphinx).")
    dialogue: Dialogue = Dialogue()
    stt: str = Field(default="", description="STT provider by name; empty = the worker's.")
    llm: str = Field(default="", description="LLM provider by name; empty = the worker's.")
    model: str = Field(default="", description="Model of the LLM provider; empty = the worker's.")
    variables: Mapping[str, str] = Field(
        default_factory=dict, description="Defaults of the call's variables."
    )
    transfer_targets: Mapping[str, str] = Field(default_factory=dict)
    tools: tuple[Tool, ...] = Field(default=(), description="Requests that it may make during a call.")
    backchannels: tuple[str, ...] = ("mm-hm", "mhm", "uh-huh", "hmm", "mm", "okay", "right", "yeah", "i see")
    max_call_s: int | None = Field(default=None, ge=10, le=14400)
    machine_detection: Literal["off", "hang_up", "leave_message"] = Field(
        default="off",
        description="When a machine answers a call of ours: hang up, or leave `lines.voicemail`. `off`: nobody asks.",
    )
    recording: bool = Field(
        default=False,
        description="Record calls, from the moment when `lines.recording_notice` has been heard to its end.",
    )
