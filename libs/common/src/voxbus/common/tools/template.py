"""From a tool's declaration and the model's arguments to a request. What the arguments are can change neither the host
nor the path's shape, and adds no header.

    url: ${CRM_URL}/patients/{caller_number}/appointments?from={day}
         ----------                          the origin: from the declaration and the environment only
                   -----------------------   each value is percent-encoded; none is "", "." or ".."
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from voxbus.common.agents import Tool
from voxbus.common.errors import AgentError
from voxbus.common.tools.addresses import written_out

ENV: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
PLACEHOLDER: Final = re.compile(r"(?<!\$)\{([a-z][a-z0-9_]*)\}")
#: What is known of the call itself.
OF_CALL: Final = frozenset({"call_sid", "caller_number"})

_URL: Final = re.compile(
    r"(?P<origin>\$\{[A-Z][A-Z0-9_]*\}|https?://[^/?#\s]+)(?P<rest>(?:[/?][\x21-\x7e]*)?)"
)
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_VISIBLE: Final = re.compile(r"[\x20-\x7e]*")
_IN_QUERY: Final = frozenset({"GET", "DELETE"})


class Unfit(Exception):
    """What arguments were given cannot be sent. ``str()`` is for the model, and has none of the values."""


@dataclass(frozen=True)
class Request:
    """``target``: path and query. ``host`` without brackets."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Origin:
    """``path``: what all paths begin with; no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str = ""


def parts(url: str) -> tuple[str, str]:
    """The origin of a template, and the path and query after it. Raises AgentError."""
    found = _URL.fullmatch(url)
    if found is None or "#" in found["rest"]:
        raise AgentError(
            "is no URL; write https://host/path, or ${NAME}/path with the origin in the environment"
        )
    return found["origin"], found["rest"]


def origin(text: str) -> Origin:
    """Of a URL without placeholders, of which path and host remain. Raises AgentError, which never repeats ``text``."""
    try:
        found = urlsplit(text)
        port = found.port
    except ValueError:
        raise AgentError("is no URL") from None
    if found.scheme not in ("http", "https") or not _HOST.fullmatch(found.netloc) or found.hostname is None:
        raise AgentError("is no origin; it has the form https://host, with no user name or password")
    if found.query or found.fragment or not _VISIBLE.fullmatch(text):
        raise AgentError("goes on after its path; it has the form https://host, or https://host/path")
    return Origin(
        found.scheme, found.hostname, port or (443 if found.scheme == "https" else 80), found.path.rstrip("/")
    )


def check_open(to: Origin, tool: Tool) -> None:
    """Raises AgentError where what is said would cross the internet for all to read."""
    if to.scheme == "http" and not tool.private and not written_out(to.host):
        raise AgentError("is an open line; use https, or private: true for a host of your own network")


def placeholders(tool: Tool) -> frozenset[str]:
    """The names that the tool's URL and headers are filled with."""
    return frozenset(
        name for text in (tool.url, *tool.headers.values()) for name in PLACEHOLDER.findall(text)
    )


def variables(tool: Tool) -> tuple[str, ...]:
    """The variables of the environment that the tool needs."""
    texts = (tool.url, *tool.headers.values())
    return tuple(dict.fromkeys(name for text in texts for name in ENV.findall(text)))


def check(tool: Tool, environment: Mapping[str, str]) -> None:
    """Raises AgentError for variables of the environment that make no request, by their names."""
    base, _ = parts(tool.url)
    if names := ENV.findall(base):
        try:
            check_open(origin(_expanded(base, environment)), tool)
        except AgentError as error:
            raise AgentError(f"{', '.join(names)} {error}") from None
    for template in tool.headers.values():
        for name in ENV.findall(template):
            if not _VISIBLE.fullmatch(environment[name].strip()):
                raise AgentError(f"{name} holds characters that a header cannot have")


def _expanded(base: str, environment: Mapping[str, str]) -> str:
    return ENV.sub(lambda found: environment[found[1]].strip(), base)


def request(
    tool: Tool, arguments: Mapping[str, Any], values: Mapping[str, str], environment: Mapping[str, str]
) -> Request:
    """``arguments``: validated. ``values``: what else placeholders stand for. ``environment``: has every variable.

    Raises Unfit for arguments, AgentError for what the environment holds.
    """
    try:
        return _made(tool, arguments, values, environment)
    except UnicodeEncodeError:  # half of a surrogate pair
        raise Unfit("an argument is no text that can be sent") from None


def _made(
    tool: Tool, arguments: Mapping[str, Any], values: Mapping[str, str], environment: Mapping[str, str]
) -> Request:
    named = placeholders(tool)
    known = {**values, **{name: text_of(value) for name, value in arguments.items() if name in named}}
    base, template = parts(tool.url)
    check(tool, environment)
    to = origin(_expanded(base, environment))
    path, asks, query = template.partition("?")
    target = to.path + "/".join(_segment(part, known, environment) for part in path.split("/"))
    query = _fill(query, known, environment, _quoted)
    rest = {name: value for name, value in arguments.items() if name not in named}
    body = b""
    headers = [("Accept", "application/json")]
    if rest and tool.method in _IN_QUERY:
        query = "&".join(
            filter(None, (query, urlencode({k: text_of(v) for k, v in rest.items()}, quote_via=quote)))
        )
    elif tool.method not in _IN_QUERY:
        body = json.dumps(rest).encode()
        headers.append(("Content-Type", "application/json"))
    headers += [(name, _header(name, text, known, environment)) for name, text in tool.headers.items()]
    target = (target or "/") + ("?" + query if asks or query else "")
    return Request(tool.method, to.scheme, to.host, to.port, target, tuple(headers), body)


def text_of(value: Any) -> str:
    """A value of JSON where text is wanted."""
    return value if isinstance(value, str) else json.dumps(value)


def _segment(template: str, known: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """A part of the path between two slashes. An argument makes no other path of it."""
    filled = _fill(template, known, environment, _quoted)
    if filled != template and filled in ("", ".", ".."):
        raise Unfit(f"{_names(template)} cannot be sent: it is empty, or dots only")
    return filled


def _header(name: str, template: str, known: Mapping[str, str], environment: Mapping[str, str]) -> str:
    def value(name: str, text: str) -> str:
        if not _VISIBLE.fullmatch(text):
            raise Unfit(f"{name} cannot be sent in a header: only visible ASCII characters can")
        return text

    return _fill(template, known, environment, value).strip()


def _fill(
    template: str,
    known: Mapping[str, str],
    environment: Mapping[str, str],
    write: Callable[[str, str], str],
) -> str:
    """In one pass: what a value looks like makes no placeholder of it."""

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return write(found[1], environment[found[1]].strip())
        if found[2] not in known:
            raise Unfit(f"{found[2]} is missing")
        return write(found[2], known[found[2]])

    return _ANY.sub(value, template)


def _quoted(_name: str, text: str) -> str:
    return quote(text, safe="")


def _names(template: str) -> str:
    return ", ".join(PLACEHOLDER.findall(template)) or "a variable of the environment"


_ANY: Final = re.compile(f"{ENV.pattern}|{PLACEHOLDER.pattern}")
