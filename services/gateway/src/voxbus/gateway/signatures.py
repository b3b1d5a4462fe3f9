"""Whether a request was signed by Twilio, with the account's auth token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twilio.request_validator import RequestValidator

#: (name, value) in the order of the form; names may repeat.
Form = Sequence[tuple[str, str]]


class Signatures:
    def __init__(self, auth_token: str) -> None:
        self._validator = RequestValidator(auth_token)

    def of_request(self, url: str, form: Form, signature: str) -> bool:
        """``form``: the fields of a POST; empty for a GET."""
        return self._matches(url, _grouped(form), signature)

    def of_handshake(self, urls: Sequence[str], signature: str) -> bool:
        """One of ``urls`` must be it."""
        return any(self._matches(url, {}, signature) for url in urls)

    def _matches(self, url: str, fields: Mapping[str, str], signature: str) -> bool:
        # The header is untrusted bytes: what is not ASCII cannot be a signature, and must not raise.
        return signature.isascii() and bool(self._validator.validate(url, fields, signature))


def _grouped(form: Form) -> dict[str, str]:
    """Twilio signs each value of a repeated field once, in sorted order, its name before each."""
    values: dict[str, set[str]] = {}
    for name, value in form:
        values.setdefault(name, set()).add(value)
    # The validator writes name + value for each field, so a repeated name can be folded into one value.
    return {name: name.join(sorted(several)) for name, several in values.items()}
