"""The shape of the sources, as CONTRIBUTING.md describes it. import-linter holds what it can; this holds the rest."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVICES = sorted(path.name for path in (ROOT / "services").iterdir() if (path / "pyproject.toml").exists())

#: Those that call an outside party or engine, which can be another one tomorrow.
WITH_PROVIDERS = {"stt", "llm", "tts", "scheduler"}

MAX_LINES = 300
#: Longer files, and why each is one thing. Take an entry out as soon as it can go.
LONGER = {
    "libs/common/src/voxbus/common/events.py": "one small class a kind, read as the table that it is",
}

#: What a core must not reach for: the loop, the bus, the network, files, the clock, the environment, chance.
IMPURE = frozenset(
    """
    aiohttp anyio asyncio contextvars fastapi httpcore httpx logging multiprocessing nats os pathlib prometheus_client
    pydantic_settings queue random requests secrets select shutil signal socket ssl subprocess sys tempfile threading
    time twilio urllib uuid uvicorn uvloop websockets
    voxbus.common.bus voxbus.common.logs voxbus.common.run voxbus.common.settings voxbus.common.telemetry
    """.split()  # noqa: SIM905 - a list of words reads better than 40 strings
)
#: Parts of these that are pure all the same: what takes addresses apart.
PURE = frozenset({"urllib.parse"})


def sources() -> list[Path]:
    return sorted(
        path for top in ("libs", "services", "tools") for path in (ROOT / top).rglob("src/voxbus/**/*.py")
    )


def cores() -> list[Path]:
    return [path for path in sources() if is_core(path)]


def is_core(path: Path) -> bool:
    """``core.py``, ``core_turns.py``, or any module of a package ``core`` or ``core_turns``."""
    inside = path.parts[path.parts.index("voxbus") + 2 :]
    return any(part.removesuffix(".py").startswith("core") for part in inside)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of what a module imports for running it; imports for type checkers only are left out."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                for child in node.orelse:
                    yield from imports(child)
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case _:
                yield from imports(node)


def within(name: str, modules: frozenset[str]) -> bool:
    return any(f"{name}.".startswith(f"{module}.") for module in modules)


@pytest.mark.parametrize("path", cores(), ids=relative)
def test_a_core_decides_and_does_nothing(path: Path) -> None:
    reached = set(imports(ast.parse(path.read_text())))
    impure = {name for name in reached if within(name, IMPURE) and not within(name, PURE)}
    assert not impure, f"time, chance and bytes are parameters of a core; move {sorted(impure)} to its shell"


@pytest.mark.parametrize("path", cores(), ids=relative)
def test_a_core_waits_for_nothing(path: Path) -> None:
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [node.lineno for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, waits)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    home = ROOT / "services" / service / "src" / "voxbus" / service
    rooms = {path.name for path in home.iterdir()}
    wanted = {"__main__.py", "settings.py", "service.py", "py.typed"}
    if service in WITH_PROVIDERS:
        wanted.add("providers")
    assert wanted <= rooms
    assert any(is_core(home / name) for name in rooms), "no core: what does it decide?"
    assert len((home / "__main__.py").read_text().splitlines()) <= 60, "wiring fits on one screen"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_tests(service: str) -> None:
    assert list((ROOT / "tests" / service).glob("test_*.py"))


def test_the_namespace_belongs_to_nobody() -> None:
    assert [relative(path) for path in ROOT.glob("*/*/src/voxbus/__init__.py")] == []


def test_a_file_is_one_thing() -> None:
    lines = {relative(path): len(path.read_text().splitlines()) for path in sources()}
    long = {name for name, count in lines.items() if count > MAX_LINES}
    assert long - LONGER.keys() == set(), "split them, or say in LONGER why each is one thing"
    assert LONGER.keys() - long == set(), "these are short now"


_SUBJECT = re.compile(r"(call|log|archive)\.(\{|\*|CA|%)")


def test_subjects_are_built_in_one_module() -> None:
    found = []
    for path in sources():
        if path.name == "subjects.py":
            continue
        tree = ast.parse(path.read_text())
        documents = _docstrings(tree)
        found += [
            f"{relative(path)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr | ast.Constant)
            and id(node) not in documents
            and _SUBJECT.match(ast.unparse(node).lstrip("fb").strip("'\""))
        ]
    assert found == []


def _docstrings(tree: ast.AST) -> set[int]:
    """The strings that stand alone as a statement."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def test_nothing_is_left_for_later() -> None:
    # The words are put together here, so that this file does not find itself.
    words = "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "NotImplemented" + "Error"))
    grep = [
        "git",
        "grep",
        "-nE",
        rf"\b({words})\b",
        "--",
        "*.py",
        "*.md",
        "*.yaml",
        "*.yml",
        "*.html",
        "Makefile",
    ]
    result = subprocess.run(grep, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode in (0, 1), result.stderr
    assert result.stdout == ""


def test_tests_stand_where_their_sources_stand() -> None:
    known = {"agents", "common", "compose", "devkit", "docs", "e2e", *SERVICES}
    folders = {
        path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert folders <= known
