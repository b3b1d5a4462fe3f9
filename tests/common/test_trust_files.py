"""What is written into the folders of the logins, as containers get them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from voxbus.common.trust.__main__ import main

SHARE = "--share=scheduler_secret=scheduler,operator"


def secret(directory: Path, folder: str, name: str = "scheduler_secret") -> str:
    return (directory / folder / name).read_text()


def test_what_is_shared_is_the_same_for_all_who_share_it_and_kept(tmp_path: Path) -> None:
    assert main([str(tmp_path), SHARE, "--share=internal_secret=gateway"]) == 0
    first = secret(tmp_path, "scheduler")
    assert len(first) >= 32
    assert secret(tmp_path, "operator") == first
    assert secret(tmp_path, "gateway", "internal_secret") != first
    assert stat.S_IMODE((tmp_path / "operator" / "scheduler_secret").stat().st_mode) == 0o400
    assert sorted(path.parent.name for path in tmp_path.glob("*/scheduler_secret")) == [
        "operator",
        "scheduler",
    ]
    (tmp_path / "operator" / "scheduler_secret").unlink()
    assert main([str(tmp_path), SHARE]) == 0
    assert secret(tmp_path, "operator") == first


def test_what_is_shared_no_more_is_taken_away(tmp_path: Path) -> None:
    main([str(tmp_path), SHARE])
    main([str(tmp_path), "--share=scheduler_secret=operator"])
    assert [path.parent.name for path in tmp_path.glob("*/scheduler_secret")] == ["operator"]
    main([str(tmp_path), "--share=scheduler_secret="])
    assert list(tmp_path.glob("*/scheduler_secret")) == []


def test_two_that_differ_are_not_guessed_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path), SHARE])
    (tmp_path / "operator" / "scheduler_secret").unlink()
    (tmp_path / "operator" / "scheduler_secret").write_text("another")
    assert main([str(tmp_path), SHARE]) == 1
    assert "scheduler_secret is not the same" in capsys.readouterr().err


def test_a_volume_is_handed_over_with_all_that_is_in_it(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    (volume / "deep").mkdir(parents=True)
    (volume / "deep" / "file").write_text("")
    (volume / "link").symlink_to("/nowhere")
    owner = 10001 if os.getuid() == 0 else os.getuid()
    assert main([str(tmp_path / "trust"), f"--owner={owner}", f"--hand-over={volume}"]) == 0
    assert {path.lstat().st_uid for path in (volume, *volume.rglob("*"))} == {owner}


@pytest.mark.parametrize("wrong", ["--share=scheduler", "--share=../x=a", "--hand-over=/tmp"])
def test_what_makes_no_sense_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), wrong])
