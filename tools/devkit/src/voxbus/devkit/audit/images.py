"""Whether one of our images holds what looks like a secret: in what the Dockerfile put there, or in how it was built.

Of an image our own code, the agents and the folders of its users are looked at, its environment and its history; not
the packages of others, which the lock file holds to their digests.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings

from voxbus.devkit.audit.leaks import SCANNER, Leak, known_digests

#: Of an image: what is copied out of it.
_FOLDERS: Final = ("/srv", "/home", "/root", "/run", "/tmp", "/app")  # noqa: S108 - a path inside the image
_OURS: Final = "voxbus"
_TOLD: Final = ("{{json .Config.Env}}", "{{json .Config.Labels}}", "{{json .Config.Cmd}}")
_WITHIN_S: Final = 300


@dataclass(frozen=True)
class Scanned:
    """``leaks``: their paths begin with the image's name."""

    text: str
    leaks: tuple[Leak, ...] = ()


def built() -> list[str] | None:
    """The images that docker-compose.yml has built on this machine; None: no Docker engine answers."""
    if shutil.which("docker") is None:
        return None
    listed = _docker(
        "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=voxbus-*:latest"
    )
    return None if listed is None else sorted(set(listed.split()))


def audit(root: Path) -> Scanned:
    """All that are here. ``root``: the project, whose list says what only looks like a secret."""
    images = built()
    if images is None:
        return Scanned("NOT SCANNED: no Docker engine answers")
    # An image never changes, and to look into one takes seconds: where nothing was found, that is known.
    path = root / "var" / "clean-images.txt"
    clean = set(path.read_text().split() if path.exists() else ())
    found: list[Leak] = []
    for image in images:
        key = f"{(_docker('image', 'inspect', '--format', '{{.Id}}', image) or image).strip()}/{SCANNER}"
        if key not in clean:
            leaks = scan(image, root)
            found += leaks
            clean |= set() if leaks else {key}
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(sorted(clean)))
    return Scanned(f"{len(images)} scanned", tuple(found))


def scan(image: str, root: Path) -> list[Leak]:
    """Raises OSError where the engine does not let it be looked at."""
    known = known_digests(root)
    with tempfile.TemporaryDirectory(prefix="voxbus-image-") as directory:
        folder = Path(directory)
        _take(image, folder)
        with default_settings():
            return sorted(leak for leak in _leaks(image, folder) if leak.digest not in known)


def _leaks(image: str, folder: Path) -> Iterator[Leak]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        theirs = inside.parts[0] == "app" and _OURS not in inside.parts
        if path.is_symlink() or not path.is_file() or path.suffix == ".pyc" or theirs:
            continue
        for one in scan_file(str(path)):
            yield Leak(f"{image}/{inside}", one.line_number, one.type, one.secret_hash[:16])


def _take(image: str, folder: Path) -> None:
    told = [_must("image", "inspect", "--format", what, image) for what in _TOLD]
    told.append(_must("image", "history", "--no-trunc", "--format", "{{.CreatedBy}}", image))
    (folder / "image.txt").write_text("\n".join(told))
    container = _must("create", image).strip()
    try:
        for name in _FOLDERS:
            _must("cp", f"{container}:{name}", str(folder))
    finally:
        _docker("rm", "--force", container)


def _must(*command: str) -> str:
    said = _docker(*command)
    if said is None:  # what was not looked at must not pass for clean
        raise OSError(f"docker {' '.join(command)}: failed, so the image was not looked into")
    return said


def _docker(*command: str) -> str | None:
    """What it says; None: it failed."""
    try:
        done = subprocess.run(
            ("docker", *command), capture_output=True, text=True, timeout=_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None
