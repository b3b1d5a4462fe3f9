"""What the audit finds, and what it says where it cannot ask."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from voxbus.devkit.audit import dependencies, leaks
from voxbus.devkit.audit.__main__ import main

ROOT = Path(__file__).parents[2]
#: Put together here, so that this file has no secret in it.
AWS = "AKIA" + "QWERTYUIOPASDFGH"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"

LOCK = """
version = 1
[[package]]
name = "ours"
version = "0.1.0"
source = { editable = "libs/ours" }
[[package]]
name = "theirs"
version = "2.0"
source = { registry = "https://pypi.org/simple" }
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text(".env\nvar/\n")
    (tmp_path / "uv.lock").write_text(LOCK)
    (tmp_path / "tests").mkdir()
    (tmp_path / "good.py").write_text("x = 1\n")
    return tmp_path


def found(tree: Path) -> list[tuple[str, int, str]]:
    return [(leak.path, leak.line, leak.kind) for leak in leaks.scan(tree)]


def test_a_key_is_found_wherever_git_would_take_it(tree: Path) -> None:
    assert found(tree) == []
    (tree / "settings.py").write_text(f"# of the cloud\nkey = '{AWS}'\n")
    (tree / "tests" / "test_it.py").write_text(f"{KEY}\n")
    (tree / ".env").write_text(f"KEY={AWS}\n")  # where secrets belong
    assert found(tree) == [("settings.py", 2, "AWS Access Key"), ("tests/test_it.py", 1, "Private Key")]


def test_a_password_counts_outside_tests_only(tree: Path) -> None:
    line = "password = 'correct horse battery'\n"
    (tree / "tests" / "test_it.py").write_text(line)
    (tree / "service.py").write_text(line)
    assert [path for path, _, _ in found(tree)] == ["service.py"]


def test_what_was_accepted_is_known_until_it_changes(tree: Path) -> None:
    (tree / "service.py").write_text("password = 'correct horse battery'\n")
    assert main(["--root", str(tree), "--accept"]) == 0
    (tree / "service.py").write_text("\n\npassword = 'correct horse battery'\n")
    assert found(tree) == []
    (tree / "service.py").write_text("password = 'another horse battery'\n")
    assert len(found(tree)) == 1
    assert "horse" not in (tree / leaks.KNOWN).read_text()


def test_everything_locked_is_audited_but_ourselves() -> None:
    assert dependencies.pinned(LOCK) == ["theirs==2.0"]
    assert "pydantic" in {
        one.partition("==")[0] for one in dependencies.pinned((ROOT / "uv.lock").read_text())
    }


def test_without_a_database_it_says_so_and_fails_only_where_it_must(
    tree: Path, unused_tcp_port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://127.0.0.1:{unused_tcp_port}"
    monkeypatch.setattr(dependencies, "PYPI", nowhere)
    monkeypatch.setattr(dependencies, "OSV", nowhere)
    assert main(["--root", str(tree)]) == 0
    assert "NOT AUDITED" in capsys.readouterr().out
    assert main(["--root", str(tree), "--required"]) == 1


def test_what_pip_audit_found_is_named() -> None:
    hole = {"id": "PYSEC-2024-1", "fix_versions": ["2.1"], "aliases": ["CVE-2024-1"], "description": "bad"}
    answer = {"dependencies": [{"name": "theirs", "version": "2.0", "vulns": [hole]}], "fixes": []}
    assert dependencies.holes_in(json.dumps(answer)) == ["theirs 2.0: PYSEC-2024-1, fixed in 2.1"]


def test_nothing_gets_into_an_image_that_was_not_scanned() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    assert rules[0] == "*", "what is not named stays out"
    assert "**/.env*" in rules
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    known = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert let_in <= {path.split("/")[0] for path in known.splitlines()}


def test_an_image_that_cannot_be_looked_into_does_not_pass_for_clean(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    docker = tree / "docker"
    docker.write_text(
        '#!/bin/sh\ncase "$1" in cp) exit 1;; image) echo voxbus-llm:latest;; *) echo made;; esac\n'
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tree}:{os.environ['PATH']}")
    assert main(["--root", str(tree), "--images"]) == 1
    assert "not looked into" in capsys.readouterr().out
    assert not (tree / "var" / "clean-images.txt").exists()
