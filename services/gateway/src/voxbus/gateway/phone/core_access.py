"""Who may use the browser phone: whoever has the token, or, without one, a browser on this machine.

That a request comes over loopback proves nothing, because a tunnel or a proxy on this machine makes every request so.
See docs/decisions/0012-who-may-use-the-browser-phone.md for why what is asked here is enough.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Final

from voxbus.gateway.errors import Refused
from voxbus.gateway.urls import Network, Origin, is_in, is_loopback

#: What proxies and tunnels add that say who asked them, in whatever words. Ours to read is only ``X-Forwarded-For``.
_SOMEBODY_ELSE: Final = ("forwarded", "x-real-ip", "true-client-ip", "cf-connecting-ip", "x-client-ip")


class Access:
    """``public``: PUBLIC_URL, if it is set. ``trusted``: the proxies whose forwarded headers count.

    Headers are given with their names in lower case.
    """

    def __init__(self, *, on: bool, token: str, public: Origin | None, trusted: tuple[Network, ...]) -> None:
        self._on = on
        self._token = token
        self._public = public
        self._trusted = trusted

    @property
    def wants_token(self) -> bool:
        return bool(self._token)

    def check(self, headers: Mapping[str, str], peer: str) -> None:
        """The page itself may be had. Raises Refused."""
        if not self._on:
            raise Refused(404, "phone_off", "the browser phone is off (PHONE)")
        if not self._token and (why := self._elsewhere(headers, peer)):
            raise Refused(403, "phone_closed", f"the browser phone is closed: {why}. PHONE_TOKEN opens it")

    def check_script(self, headers: Mapping[str, str], peer: str, *, acts: bool = False) -> None:
        """Asked by a script of our own page. ``acts``: it changes something, so a browser says where it is from."""
        self.check(headers, peer)
        if acts or "origin" in headers:
            ours = headers.get("origin", "") in self._ours(headers)
        else:  # a GET of our own page has no Origin; older browsers say nothing at all
            ours = headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
        if not ours:
            raise Refused(403, "foreign_page", "the request is of a page that is not ours")

    def check_token(self, headers: Mapping[str, str]) -> None:
        """Raises Refused, when a token is wanted and is not there."""
        if self._token and not hmac.compare_digest(bearer(headers).encode(), self._token.encode()):
            raise Refused(401, "wrong_phone_token", "this is not the token of PHONE_TOKEN")

    def _ours(self, headers: Mapping[str, str]) -> set[str]:
        """Every ``Origin`` that a page of ours may have. Whoever ends TLS before us leaves us the bare ``Host``."""
        host = headers.get("host", "")
        ours = {f"http://{host}", f"https://{host}"} if host else set()
        if self._public is not None:
            ours.add(f"{'https' if self._public.secure else 'http'}://{self._public.host}")
        return ours

    def _elsewhere(self, headers: Mapping[str, str], peer: str) -> str:
        """Why the request may be somebody's who is not on this machine; empty = it is of here."""
        if self._public is not None and not is_loopback(self._public.host):
            return "PUBLIC_URL is set, so others reach this gateway"
        if not self._is_here(peer):
            return "this is another machine"
        if not all(map(is_loopback, (headers.get("host", ""), *_listed(headers, "x-forwarded-host")))):
            return "it was asked for under a name that is not this machine's own, such as localhost"
        if not all(map(self._is_here, _listed(headers, "x-forwarded-for"))):
            return "somebody else asks through a proxy"
        if any(name in headers for name in _SOMEBODY_ELSE) or "https" in _listed(
            headers, "x-forwarded-proto"
        ):
            return "there is a proxy or a tunnel before it"
        return ""

    def _is_here(self, address: str) -> bool:
        return is_loopback(f"[{address}]" if ":" in address else address) or is_in(address, self._trusted)


def bearer(headers: Mapping[str, str]) -> str:
    """The secret of the Authorization header; empty = there is none."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret if scheme.lower() == "bearer" else ""


def _listed(headers: Mapping[str, str], name: str) -> Iterable[str]:
    return [one.strip() for one in headers.get(name, "").split(",")] if name in headers else []
