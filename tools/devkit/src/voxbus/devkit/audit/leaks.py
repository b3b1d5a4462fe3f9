"""Whether something in the tree looks like a secret: ``detect-secrets``, over every file that git has or would take.

What was looked at and is made up stands in ``KNOWN``, by its digest. In tests only what has the form of a real key is
looked for: their passwords are all made up, and a list of them would be read by nobody. The scanner is a dependency of
the project's development, and of no package.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings
from pydantic import TypeAdapter, ValidationError

KNOWN: Final = ".secrets.known"

#: Detectors of words and of chance, and not of a form that some vendor's keys have.
_GUESSES: Final = frozenset(
    ("Secret Keyword", "Base64 High Entropy String", "Hex High Entropy String", "Basic Auth Credentials")
)
#: Digests of packages, thousands of them.
_SKIPPED: Final = frozenset(("uv.lock", KNOWN))


SCANNER: Final = version("detect-secrets")


@dataclass(frozen=True, order=True)
class Leak:
    path: str
    line: int
    kind: str
    digest: str

    @property
    def entry(self) -> str:
        """As it stands in ``KNOWN``: lines move, so they are not named."""
        return f"{self.digest} {self.path} {self.kind}"


#: The scanner's version, and what it found by path and content of a file.
_CACHE: Final = TypeAdapter(tuple[str, dict[str, list[Leak]]])


def known_digests(root: Path) -> frozenset[str]:
    """Of what only looks like a secret, wherever it stands."""
    return frozenset(entry.split()[0] for entry in _known(root))


def _known(root: Path) -> frozenset[str]:
    path = root / KNOWN
    return frozenset(path.read_text().splitlines() if path.exists() else ())


def scan(root: Path) -> list[Leak]:
    """What is not known."""
    known = _known(root)
    return [leak for leak in _all(root) if leak.entry not in known]


def accept(root: Path) -> int:
    """Writes ``KNOWN`` anew; returns how many entries it has."""
    entries = sorted({leak.entry for leak in _all(root)})
    (root / KNOWN).write_text("".join(f"{entry}\n" for entry in entries))
    return len(entries)


def _all(root: Path) -> list[Leak]:
    # Scanning everything takes a quarter of a minute, so what was scanned as it is now is not scanned again.
    cache = root / "var" / "scanned.json"
    before = _cached(cache)
    now: dict[str, list[Leak]] = {}
    with default_settings():
        for path in _files(root):
            key = _key(root, path)
            now[key] = before[key] if key in before else list(_leaks(root, path))
    cache.parent.mkdir(exist_ok=True)
    cache.write_bytes(_CACHE.dump_json((SCANNER, now)))
    return sorted(leak for leaks in now.values() for leak in leaks)


def _files(root: Path) -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(name for name in names if name and name not in _SKIPPED and (root / name).is_file())


def _leaks(root: Path, path: str) -> Iterator[Leak]:
    is_test = path.startswith("tests/")
    for one in scan_file(str(root / path)):
        if not (is_test and one.type in _GUESSES):
            yield Leak(path, one.line_number, one.type, one.secret_hash[:16])


def _cached(path: Path) -> dict[str, list[Leak]]:
    try:
        scanner, leaks = _CACHE.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return {}
    return leaks if scanner == SCANNER else {}


def _key(root: Path, path: str) -> str:
    return hashlib.sha256(path.encode() + b"\0" + (root / path).read_bytes()).hexdigest()[:32]
