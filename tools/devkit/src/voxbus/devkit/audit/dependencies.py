"""Whether a locked dependency has a known vulnerability: ``pip-audit``, over everything in uv.lock.

Its databases are on the network. Where neither can be asked, that is said, and is no fault of the tree.
"""

from __future__ import annotations

import datetime
import hashlib
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import httpx
from pydantic import BaseModel

#: Vulnerabilities that do not concern us, by id, and why not.
IGNORED: Final[dict[str, str]] = {}

PYPI = "https://pypi.org"
OSV = "https://api.osv.dev"

_PROBE_S = 4.0
_AUDIT_S = 300.0

Database = Literal["pypi", "osv"]


class _NoAnswerError(Exception):
    """pip-audit could not do its work."""


@dataclass(frozen=True)
class Audited:
    """``asked``: a database has answered. ``holes``: something is wrong."""

    text: str
    asked: bool
    holes: bool = False


class _Hole(BaseModel):
    id: str
    fix_versions: list[str] = []


class _Dependency(BaseModel):
    name: str
    version: str = ""
    vulns: list[_Hole] = []


class _Result(BaseModel):
    dependencies: list[_Dependency]


def audit(root: Path) -> Audited:
    locked = pinned((root / "uv.lock").read_text())
    # What was good today is not asked again.
    stamp, today = root / "var" / "audited", f"{datetime.date.today()} {_digest(locked)}"
    if stamp.exists() and stamp.read_text() == today:
        return Audited(f"{len(locked)} without known vulnerabilities, asked today", asked=True)
    database = _reachable()
    if database is None:
        text = "NOT AUDITED: neither PyPI nor OSV says what is known of them from here (no network?)"
        return Audited(text, asked=False)
    try:
        holes = holes_in(_pip_audit(locked, database))
    except _NoAnswerError as error:
        return Audited(f"NOT AUDITED: pip-audit could not ask {database}: {error}", asked=False)
    if holes:
        return Audited(f"{len(holes)} known vulnerabilities\n  " + "\n  ".join(holes), asked=True, holes=True)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(today)
    return Audited(f"{len(locked)} without known vulnerabilities ({database})", asked=True)


def pinned(lock: str) -> list[str]:
    """``name==version`` of everything in a uv.lock that comes from a registry."""
    packages = tomllib.loads(lock)["package"]
    return sorted(f"{one['name']}=={one['version']}" for one in packages if "registry" in one["source"])


def _digest(locked: list[str]) -> str:
    return hashlib.sha256("\n".join((*locked, *IGNORED)).encode()).hexdigest()


def holes_in(result: str) -> list[str]:
    """What is wrong, one line each. ``result``: pip-audit's JSON."""
    return [
        f"{one.name} {one.version}: {hole.id}, fixed in {', '.join(hole.fix_versions) or 'no version'}"
        for one in _Result.model_validate_json(result).dependencies
        for hole in one.vulns
        if hole.id not in IGNORED
    ]


def _reachable() -> Database | None:
    """The first of the databases that answers as it should. Mirrors of PyPI often have packages and nothing else."""
    with httpx.Client(timeout=_PROBE_S, follow_redirects=True) as http:
        try:
            if "vulnerabilities" in http.get(f"{PYPI}/pypi/pip-audit/2.9.0/json").json():
                return "pypi"
        except (httpx.HTTPError, ValueError):
            pass
        try:
            asked = {"package": {"name": "pip-audit", "ecosystem": "PyPI"}, "version": "2.9.0"}
            if isinstance(http.post(f"{OSV}/v1/query", json=asked).json(), dict):
                return "osv"
        except (httpx.HTTPError, ValueError):
            pass
    return None


def _pip_audit(locked: list[str], database: Database) -> str:
    """Its JSON. Raises _NoAnswerError."""
    with tempfile.TemporaryDirectory() as directory:
        requirements, output = Path(directory) / "requirements.txt", Path(directory) / "result.json"
        requirements.write_text("\n".join(locked))
        command = [
            sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--no-deps", "--disable-pip",
            "--vulnerability-service", database, "--format", "json", "--output", str(output),
            "--progress-spinner", "off",
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_AUDIT_S, check=False)
        except subprocess.TimeoutExpired:
            raise _NoAnswerError(f"no answer in {_AUDIT_S:g} s") from None
        if not output.exists() or not output.stat().st_size:
            raise _NoAnswerError((done.stderr.strip().splitlines() or ["no word why"])[-1])
        return output.read_text()
