"""Rewrites a text as it is said: nothing to look at is left, numbers are words, and none is lost.

A list of rules, applied in order: what is only for the eye goes first, then numbers and symbols. Numbers become words
in English only; other languages keep their digits, which their voices read better than we would.
"""

from __future__ import annotations

import re
from typing import Final

from voxbus.common.speech import english
from voxbus.common.speech.rules import Rule, rewrite, rule


def for_ear(text: str, language: str = "en-US") -> str:
    """``text`` as a voice should read it; empty when there is nothing to say."""
    text = rewrite(text, _FOR_THE_EYE)
    if language.lower().startswith("en"):
        text = rewrite(text, english.RULES)
    text = rewrite(text, _TIDY)
    return text.strip() if re.search(r"[^\W_]", text) else ""


#: Mark-up that models write; other words in angle brackets, or between two comparisons, are words.
_TAGS: Final = (
    "a|abbr|audio|b|big|blockquote|body|br|center|code|dd|del|div|dl|dt|em|emphasis|figure|font|footer|h[1-6]|head|"
    "header|hr|html|i|img|ins|kbd|label|li|main|mark|nav|ol|p|phoneme|pre|prosody|q|s|say-as|section|small|span|speak|"
    "strike|strong|sub|sup|table|tbody|td|th|thead|tr|u|ul|voice"
)
_ATTRIBUTE: Final = r"\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+)"

_FOR_THE_EYE: Final[tuple[Rule, ...]] = (
    rule(r"```[\w+-]*", " "),
    rule(r"!?\[([^\]]*)\]\([^)]*\)", r"\1"),
    rule(r"<(?:https?:|www\.)[^>]*>", ""),
    rule(r"(?:https?://|www\.)(?:\([^\s()<>]*\)|[^\s()<>])*(?<![.,;:!?\"'])", ""),
    rule(
        rf"<(?:(?:{_TAGS})(?:{_ATTRIBUTE})*\s*/?|[a-z][\w:-]*(?:{_ATTRIBUTE})+\s*/?|/(?:{_TAGS}|[a-z-]+)\s*)>",
        " ",
    ),
    rule(r"^\s*(?:#{1,6}|>+|[-*+•‣·])\s+", "", re.MULTILINE),
    # Said, and not dropped: a text that was cut begins with numbers that are no marks of a list ("your total is: 45.").
    rule(r"^(\s*\d{1,3})\)\s+(?=\S)", r"\1, ", re.MULTILINE),
    rule(r"^\s*[-*_=|:]{3,}[-*_=|:\s]*$", "", re.MULTILINE),
    rule(r"(?<=\d)\s?\*\s?(?=\d)", " × "),
    rule(r"[*`|]+|~~+|~(?!\s?\d)|(?<!\w)_+|_+(?!\w)", " "),
    # Pictographs, dingbats, arrows and shapes, flags, skin tones, joiners and variation selectors.
    rule(
        "[\U0001f000-\U0001faff\U00002190-\U000021ff\U00002300-\U000023ff\U000025a0-\U000027bf\U00002934\U00002935"
        "\U00002b00-\U00002bff\U0000fe00-\U0000fe0f\U0000200d\U000020e3\U000e0020-\U000e007f\U0000203c\U00002049"
        "\U00002122\U00002139\U00003030\U0000303d\U00003297\U00003299\U000000a9\U000000ae]+",
        " ",
    ),
    rule(r"\s*\(([^()]*)\)(?=\s*[,.;:!?]|\s*$)", r", \1"),
    rule(r"\s+\(([^()]*)\)(?!\s*\d)", r", \1,"),
)

_TIDY: Final[tuple[Rule, ...]] = (
    rule(r"(?<=[^\s.,;:!?…])\s*\n\s*(?=\S)", ", "),
    # The sign of a number stays where numbers stay.
    rule(r"(?<!\d)(?<!\d\s)[$€£%°]+(?!\s?\d)", " "),
    rule(r"[#^\\{}\[\]<>=+~|*`_]+", " "),
    rule(r"\s+", " "),
    rule(r"\s+(?=[,.;:!?])", ""),
    rule(r"(?<=[ap]\.m)\.{2,}|(?<!\.)\.\.(?!\.)", "."),
    rule(r"[,;:]+(?=[.!?])", ""),
    rule(r"([,;:])(?:\s*[,;:])+", r"\1"),
    rule(r"^[\s,.;:!?)-]+", ""),
)
