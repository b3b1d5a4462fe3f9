"""What a model is told of the call: the fold of the log as chat messages.

The history is what was heard, never what was merely generated: an interrupted sentence ends where the caller stopped
listening to it. What the caller said while the agent went on speaking ("mm-hm") stands in brackets before what they
said next: it was no turn, but it was said. What tools did stands after what the caller said to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from voxbus.common.events import Utterance
from voxbus.common.fold import CallState
from voxbus.common.turns import TurnState
from voxbus.llm.core_chat import Message
from voxbus.llm.core_dialogue import Said
from voxbus.llm.core_opening import opening
from voxbus.llm.core_trail import (
    Step,
    calls_and_answers,
    learned,
    steps_of,
    steps_of_turn,
    trail,
    words_begin,
)

#: Messages of history; older ones are forgotten. The system prompt does not count.
HISTORY: Final = 40

GO_ON: Final = (
    "The line broke off after your last words, which the caller has heard. Go on exactly where you stopped: do not"
    " repeat anything, do not greet, do not mention it. If everything was said, answer with nothing, or with the tool"
    " call that you were about to make."
)


def messages(
    state: CallState,
    turn: int,
    *,
    published: Sequence[str] = (),
    meanwhile: frozenset[int] = frozenset(),
    steps: Sequence[Step] = (),
) -> tuple[Message, ...]:
    """The messages that ask for the reply of ``turn``.

    ``steps``: what tools did in this reply. ``published``: its sentences that are in the log already. Those after the
    last step are another worker's, who began to answer: they come as the assistant's own last words, with the ask to
    go on after them.
    """
    assert state.started is not None
    history = _forgetful(_merged(_history(state, turn)))
    asked = [Message("system", state.started.agent.prompt), *history]
    if turn in state.turns:
        asked += calls_and_answers(steps_of(state.turns[turn].earlier))
    asked += trail(published, meanwhile, steps)
    if begun := published[words_begin(meanwhile, steps[-1] if steps else None) :]:
        asked += [Message("assistant", " ".join(begun)), Message("system", GO_ON)]
    return tuple(asked)


def conversation(state: CallState, turn: int, steps: Sequence[Step] = ()) -> tuple[Said, ...]:
    """Everything that the caller said, up to ``turn``, and what tools answered: what the scripted dialogue replays.

    Not what the greeting answered: "yes?" on the telephone agrees to nothing.
    """
    before = opening(state)
    return tuple(
        Said(
            utterance.text,
            keys=utterance.ended_by == "dtmf",
            answers=learned(steps if utterance.turn == turn else steps_of_turn(state.turns[utterance.turn])),
        )
        for utterance in state.utterances()
        if utterance.turn <= turn and utterance.text and utterance.turn not in before
    )


def _history(state: CallState, turn: int) -> Iterator[Message]:
    spoken = [utterance for utterance in state.backchannels if utterance.text]  # the others were noises
    murmurs = iter(sorted(spoken, key=lambda utterance: utterance.end_media_ms))
    murmur = next(murmurs, None)
    for number in sorted(state.turns):
        if number > turn:
            return
        found = state.turns[number]
        said = (
            [found.utterance.text] if found.utterance and found.utterance.text and not found.withdrawn else []
        )
        if said and found.utterance is not None:
            if found.utterance.ended_by == "dtmf":
                said = [f"(pressed the keys {' '.join(found.utterance.text)})"]
            while murmur is not None and murmur.end_media_ms <= found.utterance.end_media_ms:
                said.insert(-1, f"({murmur.text})")
                murmur = next(murmurs, None)
            yield Message("user", " ".join(said))
        if number < turn:
            yield from calls_and_answers(steps_of_turn(found))
            if heard := _heard(found):
                yield Message("assistant", heard)


def _heard(turn: TurnState) -> str:
    """What of an earlier turn the caller heard. A sentence that nobody has judged yet counts as heard."""
    parts = (s.heard_text if s.verdict else s.event.text for _, s in sorted(turn.sentences.items()))
    return " ".join(part for part in parts if part)


def _merged(history: Iterator[Message]) -> list[Message]:
    """Neighbours of the same role become one message: some models insist on taking turns."""
    merged: list[Message] = []
    for message in history:
        last = merged[-1] if merged else None
        if last is not None and last.role == message.role != "tool" and not (last.calls or message.calls):
            merged[-1] = Message(message.role, f"{last.text} {message.text}")
        else:
            merged.append(message)
    return merged


def _forgetful(history: list[Message]) -> list[Message]:
    """The last of it. An answer of a tool whose call is forgotten is no message that a model can be sent."""
    kept = history[-HISTORY:]
    while kept and (kept[0].role == "tool" or kept[0].calls):
        kept.pop(0)
    return kept


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
