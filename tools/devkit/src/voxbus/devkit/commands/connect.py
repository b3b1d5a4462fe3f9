"""``voxbus connect``: a telephone number of the carrier's calls this machine."""

from __future__ import annotations

import argparse
import asyncio
import re
import secrets
import sys
from urllib.parse import urlencode

import httpx

from voxbus.common.errors import SettingsError
from voxbus.common.settings import load
from voxbus.devkit import terminal
from voxbus.devkit.account import Account, Number, Trouble, View
from voxbus.devkit.carrier import signing
from voxbus.devkit.doctor import checks
from voxbus.devkit.environment import AccountSettings

DESCRIPTION = (
    "Sets the number's Voice URL and status callback at Twilio, after it has seen that PUBLIC_URL leads to our gateway "
    "and that the gateway knows the account's signature. Reads PUBLIC_URL, TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN."
)

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_TIMEOUT_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", metavar="NUMBER", help="your number, with its country: +1...")
    parser.add_argument("--agent", default="", help="who answers there (default: PERSONA)")
    parser.add_argument("--dry-run", action="store_true", help="look at everything, and change nothing")


def main(arguments: argparse.Namespace) -> int:
    try:
        settings = load(AccountSettings)
    except SettingsError as error:
        print(f"voxbus connect: {error}", file=sys.stderr)
        return 1
    try:
        asyncio.run(connect(settings, arguments.number, agent=arguments.agent, dry_run=arguments.dry_run))
    except Trouble as trouble:
        print(f"{terminal.coloured('not connected', 'red')}: {trouble.text}\n  -> {trouble.remedy}")
        return 1
    return 0


async def connect(settings: AccountSettings, number: str, *, agent: str, dry_run: bool) -> None:
    """Prints what it finds and does. Raises Trouble, before anything was changed."""
    if _E164.fullmatch(number) is None:
        raise Trouble(f"{number} is no number with its country", "write it as +15550100: +, country, number")
    if missing := settings.missing():
        remedy = "put them into .env: PUBLIC_URL is your tunnel, the other two are in Twilio's console"
        raise Trouble(f"not set: {', '.join(missing)}", remedy)
    async with httpx.AsyncClient() as http:
        account = Account(settings.twilio_account_sid, settings.token, http, settings.twilio_api_url)
        view = await account.view()
        found = await account.number(number)
        _can_call(found)
        wanted = _wanted(settings.public, agent)
        await _is_answered(settings, http, wanted["VoiceUrl"])
        _say(found, wanted)
        if dry_run:
            print("nothing was changed (--dry-run)")
            return
        changed = await account.update(found, wanted)
    if changed.voice_url != wanted["VoiceUrl"]:
        raise Trouble("the number's Voice URL is still another one", "set it in the console, and tell us")
    print(f"{terminal.coloured('connected', 'green')}: call {number}{_caveat(view)}")


def _can_call(number: Number) -> None:
    if not number.capabilities.voice:
        raise Trouble(
            f"{number.phone_number} cannot do voice", "take a number that can: the console shows which"
        )
    if number.trunk_sid:
        text = f"{number.phone_number} belongs to a SIP trunk ({number.trunk_sid}), which takes its calls"
        raise Trouble(text, "take the number off the trunk, in the console under Elastic SIP Trunking")


async def _is_answered(settings: AccountSettings, http: httpx.AsyncClient, url: str) -> None:
    """Whether what Twilio will ask is answered, and by whom."""
    finding = await checks.public_url(settings.public, http)
    if finding.verdict != "ok":
        raise Trouble(finding.text, finding.remedy)
    # As if somebody called: what is answered is a stream that nobody opens, and no call begins without one.
    form = {"CallSid": "CA" + secrets.token_hex(16), "Direction": "inbound"}
    headers = {signing.HEADER: signing.sign(settings.token, url, form)}
    try:
        answer = await http.post(url, data=form, headers=headers, timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        raise Trouble(f"{url} does not answer ({type(error).__name__})", "is the tunnel open?") from None
    if answer.status_code == httpx.codes.FORBIDDEN:
        text = "our gateway refuses the signature of this account"
        remedy = "start it with the same TWILIO_AUTH_TOKEN and PUBLIC_URL as this command"
        raise Trouble(text, remedy)
    if not answer.is_success:
        text = f"our gateway answers a call with {answer.status_code}: {answer.text.strip()[:200]}"
        raise Trouble(text, "`voxbus doctor` says what is missing")


def _wanted(public_url: str, agent: str) -> dict[str, str]:
    query = f"?{urlencode({'agent': agent})}" if agent else ""
    return {
        "VoiceUrl": f"{public_url}/twilio/voice{query}",
        "VoiceMethod": "POST",
        "StatusCallback": f"{public_url}/twilio/status",
        "StatusCallbackMethod": "POST",
        # An application would take the place of the Voice URL.
        "VoiceApplicationSid": "",
    }


def _say(number: Number, wanted: dict[str, str]) -> None:
    for name, was, becomes in (
        ("Voice URL", number.voice_url, wanted["VoiceUrl"]),
        ("status callback", number.status_callback, wanted["StatusCallback"]),
        ("application", number.voice_application_sid, ""),
    ):
        if (was or "") != becomes:
            print(f"{name}: {becomes or 'none'} (was {was or 'none'})")
        elif becomes:
            print(f"{name}: {becomes}, as before")


def _caveat(view: View) -> str:
    return "\nA trial account: it connects verified numbers only, ten minutes each" if view.is_trial else ""
