"""What words tell: a backchannel, an echo of the agent, or something meant."""

from __future__ import annotations

import re

from voxbus.common.fold import CallState

_WORD = re.compile(r"[a-z0-9']+(?:-[a-z0-9']+)*")
_ANY_WORD = re.compile(r"\w+")

#: So many words in a row that the agent is saying just now are its echo. One or two may well be an answer:
#: "Tuesday" to "Shall I take Tuesday?".
ECHO_WORDS = 3


def words_of(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def is_backchannel(text: str, backchannels: tuple[str, ...]) -> bool:
    """Whether all of it is listening noise ("mm-hm", "right", "okay okay")."""
    known = {" ".join(words_of(b)) for b in backchannels}
    words = words_of(text)
    return bool(words) and (" ".join(words) in known or all(word in known for word in words))


def may_become(text: str, backchannels: tuple[str, ...], spoken: str) -> bool:
    """Whether what was heard so far may still turn out to be listening noise, or an echo of ``spoken``."""
    words, source = words_of(text), words_of(spoken)
    if any(words_of(known)[: len(words)] == words for known in backchannels):
        return True
    return any(source[i : i + len(words)] == words for i in range(len(source) - len(words) + 1))


def is_echo(text: str, spoken: str) -> bool:
    """Whether ``text`` repeats a stretch of what the agent says."""
    words, source = words_of(text), words_of(spoken)
    if len(words) < ECHO_WORDS:
        return False
    return any(source[i : i + len(words)] == words for i in range(len(source) - len(words) + 1))


def is_meant(
    text: str, backchannels: tuple[str, ...], state: CallState, turn: int, index: int, *, more: bool = False
) -> bool:
    """Whether ``text``, said over that sentence of the agent, asks for the turn. ``more``: the caller still speaks."""
    spoken = spoken_around(state, turn, index)
    if not text or is_echo(text, spoken) or (more and may_become(text, backchannels, spoken)):
        return False
    # "Yes" in the middle of an explanation is listening; at the end of a question it is the answer. After a goodbye it
    # is neither.
    answers = state.hangup is None and in_last_sentence(state, turn, index)
    return answers or not is_backchannel(text, backchannels)


def spoken_around(state: CallState, turn: int, index: int) -> str:
    """That sentence of the agent and the one before it: an echo is up to 300 ms late."""
    found = state.turns.get(turn)
    if found is None:
        return ""
    around = (found.sentences.get(i) for i in (index - 1, index))
    return " ".join(sentence.event.text for sentence in around if sentence is not None)


def in_last_sentence(state: CallState, turn: int, index: int) -> bool:
    """Whether the reply is known to end with that sentence."""
    found = state.turns.get(turn)
    ended = found.reply_ended if found is not None else None
    return ended is not None and index >= ended.sentences - 1


def same_words(one: str, other: str) -> bool:
    """In any language; capitals and full stops do not matter."""
    return _ANY_WORD.findall(one.casefold()) == _ANY_WORD.findall(other.casefold())


def join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
