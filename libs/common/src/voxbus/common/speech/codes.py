"""Digits that are no quantity: telephone numbers, codes, rooms. They are said one by one, group by group."""

from __future__ import annotations

import re
from re import Match
from typing import Final

from voxbus.common.speech import numbers
from voxbus.common.speech.rules import Rule, rule

_CALLED: Final = (
    r"code|pin|passcode|password|confirmation|reference|ref|extension|ext|zip|postcode|ssn|social security|account|"
    r"tracking|serial|flight(?:\s+(?-i:[A-Z]{2}))?|room|suite|apartment|apt|invoice|policy|id|vin|card|"
    "ending in|ending|ends in|digits"
)  # fmt: skip
#: These are words for other things as well: "order 150 tablets".
_NUMBERED: Final = (
    "order|case|ticket|booking|reservation|claim|member|customer|phone|telephone|the|your|my|our|its|this"
)
_IS: Final = r"(?:\s+(?:number|no\.?|code|id|is|was|are))*\s?[:#]*\s*"
#: Where a number is asked for help or information.
_SERVICES: Final = "112|999|988|[2-9]11|101|111|000"


def _groups(found: Match[str]) -> str:
    plus = "plus " if found.group().lstrip().startswith("+") else ""
    return plus + _one_by_one(found.group())


def _one_by_one(text: str) -> str:
    groups = re.findall(r"\d+", text)
    if (
        len(groups) == 1 and 10 <= len(groups[0]) <= 13
    ):  # a telephone number: the last four, before them threes
        head, tail = groups[0][:-4], groups[0][-4:]
        first = len(head) % 3
        threes = [head[i : i + 3] for i in range(first, len(head), 3)]
        groups = [part for part in (head[:first], *threes, tail) if part]
    return ", ".join(numbers.digits(group) for group in groups)


def _named(found: Match[str]) -> str:
    """Short ones are numbers like others: room twelve."""
    digits = found[2]
    return f"{found[1]} {_one_by_one(digits)} " if len(digits) > 2 else found.group()


RULES: Final[tuple[Rule, ...]] = (
    rule(
        r"(?<![\w.])(?:\+\d[\d\s().-]{5,17}\d"
        r"|(?:1[-. ])?(?:\(\d{3}\)\s?|\d{3}[-. ])\d{3}[-. ]\d{4}|\d{3}-\d{4}|1?[2-9]\d{9})(?![\w-]|[.,]\d)",
        _groups,
    ),
    rule(r"(?<![\w.-])(?:1-)?\d{3}-(?=(?-i:[A-Z]{4}))", lambda m: f"{_groups(m)}, "),
    rule(r"(?<![\w.,-])\d(?:-\d){2,}(?![\w-]|[.,]\d)", _groups),
    rule(r"\bext\b\.?\s*(?=\d)", "extension "),
    rule(r"(?<![\w.,-])(?:\d{5}-\d{4}|\d{1,4}(?:[- ]\d{2,4}){2,})(?![\w-]|[.,]\d)", lambda m: (
        _groups(m) if len(re.sub(r"\D", "", m.group())) > 7 else m.group()
    )),
    rule(rf"\b((?:{_CALLED})\b{_IS})(\d+(?:-\d+)*)(?![\w%]|[.,:/]\d)", _named),
    rule(rf"\b((?:{_NUMBERED})\s+(?:number|no\.?|id)\b{_IS})(\d+(?:-\d+)*)(?![\w%]|[.,:/]\d)", _named),
    rule(rf"\b((?:{_NUMBERED})\s+#\s*)(\d+)(?![\w%]|[.,:/]\d)", _named),
    rule(
        rf"(?<![\w.,$€£:/-])((?:call|dial|phone|ring|text)\s+(?=(?:{_SERVICES})\b)|(?=911\b))(\d{{3}})"
        r"(?![\w%]|[.,:/-]\d)",
        _named,
    ),
    # Letters and digits: a part, a plate.
    rule(r"(?<=[a-z])(\d{3,})(?![.,]\d)", lambda m: f" {_one_by_one(m[1])} "),
)  # fmt: skip
