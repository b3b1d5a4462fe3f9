"""What a model is told of the call: the fold of the log as chat messages.

The history is what was heard, never what was merely generated: an interrupted sentence ends where the caller stopped
listening to it. What the caller said while the agent went on speaking ("mm-hm") stands in brackets before what they
said next: it was no turn, but it was said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from voxbus.common.events import Utterance
from voxbus.common.fold import CallState
from voxbus.common.turns import TurnState
from voxbus.llm.core_dialogue import Said
from voxbus.llm.core_opening import opening

#: Messages of history; older ones are forgotten. The system prompt does not count.
HISTORY: Final = 40

GO_ON: Final = (
    "The line broke off after your last words, which the caller has heard. Go on exactly where you stopped: do not"
    " repeat anything, do not greet, do not mention it. If everything was said, answer with nothing, or with the tool"
    " call that you were about to make."
)

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    role: Role
    text: str


def messages(state: CallState, turn: int, *, published: Sequence[str] = ()) -> tuple[Message, ...]:
    """The messages that ask for the reply of ``turn``.

    ``published``: sentences of this reply that are in the log already, because another worker began it: they come as
    the assistant's own last words, with the ask to go on after them.
    """
    assert state.started is not None
    history = _merged(_history(state, turn))[-HISTORY:]
    asked = [Message("system", state.started.agent.prompt), *history]
    if published:
        asked += [Message("assistant", " ".join(published)), Message("system", GO_ON)]
    return tuple(asked)


def conversation(state: CallState, turn: int) -> tuple[Said, ...]:
    """Everything that the caller said, up to ``turn``: what the scripted dialogue replays.

    Not what the greeting answered: "yes?" on the telephone agrees to nothing.
    """
    before = opening(state)
    return tuple(
        Said(utterance.text, keys=utterance.ended_by == "dtmf")
        for utterance in state.utterances()
        if utterance.turn <= turn and utterance.text and utterance.turn not in before
    )


def _history(state: CallState, turn: int) -> Iterator[Message]:
    murmurs = iter(sorted(state.backchannels, key=lambda utterance: utterance.end_media_ms))
    murmur = next(murmurs, None)
    for number in sorted(state.turns):
        if number > turn:
            return
        past = state.turns[number]
        said = [past.utterance.text] if past.utterance and past.utterance.text and not past.withdrawn else []
        if said and past.utterance is not None:
            if past.utterance.ended_by == "dtmf":
                said = [f"(pressed the keys {' '.join(past.utterance.text)})"]
            while murmur is not None and murmur.end_media_ms <= past.utterance.end_media_ms:
                said.insert(-1, f"({murmur.text})")
                murmur = next(murmurs, None)
            yield Message("user", " ".join(said))
        if number < turn and (heard := _heard(past)):
            yield Message("assistant", heard)


def _heard(turn: TurnState) -> str:
    """What of an earlier turn the caller heard. A sentence that nobody has judged yet counts as heard."""
    parts = (s.heard_text if s.verdict else s.event.text for _, s in sorted(turn.sentences.items()))
    return " ".join(part for part in parts if part)


def _merged(history: Iterator[Message]) -> list[Message]:
    """Neighbours of the same role become one message: some models insist on taking turns."""
    merged: list[Message] = []
    for message in history:
        if merged and merged[-1].role == message.role:
            merged[-1] = Message(message.role, f"{merged[-1].text} {message.text}")
        else:
            merged.append(message)
    return merged


def repeats(piece: str, published: Sequence[str]) -> bool:
    """Whether a continuation says again what was said: the sentence itself, or the beginning of one."""
    words = _words(piece)
    return any(
        words == said or (len(words) >= 4 and said[:4] == words[:4]) for said in map(_words, published)
    )


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "'" else " " for c in text.lower()).split()


def silences(state: CallState, turn: int, ended_by: Literal["no_input", "no_words"]) -> int:
    """How many turns in a row before ``turn`` ended that way. What the greeting answered does not count."""
    count, before = 0, opening(state)
    for utterance in reversed([u for u in state.utterances() if u.turn < turn and u.turn not in before]):
        if _kind(utterance) != ended_by:
            break
        count += 1
    return count


def _kind(utterance: Utterance) -> str:
    if utterance.text:
        return "words"
    return "no_input" if utterance.ended_by == "no_input" else "no_words"
