"""The files themselves: their bytes, their directory, and disks that do not take them."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from voxbus.common.audio import SILENCE
from voxbus.common.errors import InvalidCallSid
from voxbus.common.recordings import Removal, Removed, decode, encode
from voxbus.gateway.recording import Recordings
from voxbus.gateway.recording.core_wav import HEADER_BYTES, header, interleave, ms_of
from voxbus.gateway.recording.shelf import Shelf
from voxbus.gateway.recording.wav_file import WavFile
from voxbus.gateway.recording.writer import Writer

SID = "CA" + "0" * 32
OTHER = "CA" + "1" * 32
SECOND = bytes(range(200)) * 80


def samples(path: Path) -> bytes:
    """What the header says is in the file. It must be there."""
    data = path.read_bytes()
    size = int.from_bytes(data[HEADER_BYTES - 4 : HEADER_BYTES], "little")
    assert data[:HEADER_BYTES] == header(size)
    assert len(data) >= HEADER_BYTES + size
    return data[HEADER_BYTES : HEADER_BYTES + size]


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_header_is_one_of_mulaw() -> None:
    made = header(16_000)
    assert len(made) == HEADER_BYTES
    assert made[:4] + made[8:16] + made[38:42] + made[50:54] == b"RIFFWAVEfmt factdata"
    assert int.from_bytes(made[4:8], "little") == HEADER_BYTES - 8 + 16_000
    fields = [
        int.from_bytes(made[at : at + size], "little") for at, size in ((20, 2), (22, 2), (24, 4), (28, 4))
    ]
    assert fields == [7, 2, 8000, 16_000]
    assert int.from_bytes(made[46:50], "little") == 8000
    assert ms_of(16_000) == 1000


def test_the_caller_is_left_and_the_agent_right() -> None:
    assert interleave([b"ab", b"12", b"cd", b"34"]) == b"a1b2c3d4"


def test_a_file_can_be_read_at_any_time_and_its_checksum_is_the_files(tmp_path: Path) -> None:
    path = tmp_path / "one.wav"
    file = WavFile(path)
    assert samples(path) == b""
    file.append(0, SECOND)
    assert samples(path) == SECOND
    file.append(len(SECOND), SECOND)
    closed = file.close(2 * len(SECOND))
    assert samples(path) == SECOND * 2
    assert closed.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (closed.size_bytes, closed.lost_bytes, closed.cause) == (path.stat().st_size, 0, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    WavFile(tmp_path / "one.wav").close(0)
    with pytest.raises(FileExistsError):
        WavFile(tmp_path / "one.wav")
    (tmp_path / "two.wav").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        WavFile(tmp_path / "two.wav")


def test_what_was_not_written_is_silence_and_the_rest_keeps_its_place(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "one.wav")
    file.append(16_000, SECOND)
    closed = file.close(48_000)
    silence = bytes([SILENCE]) * 16_000
    assert samples(tmp_path / "one.wav") == silence + SECOND + silence
    assert closed.lost_bytes == 32_000


def test_a_full_disk_costs_what_it_does_not_take(tmp_path: Path) -> None:
    path = tmp_path / "one.wav"
    file = WavFile(path)
    file.append(0, SECOND)
    with disk_of(HEADER_BYTES + 24_000):
        file.append(16_000, SECOND)
        file.append(32_000, SECOND)
    assert samples(path) == SECOND
    file.append(48_000, SECOND)  # there is room again
    closed = file.close(64_000)
    assert samples(path) == SECOND + bytes([SILENCE]) * 32_000 + SECOND
    assert (closed.lost_bytes, closed.cause) == (32_000, "EFBIG")
    assert closed.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_disk_that_stays_full_leaves_a_shorter_file(tmp_path: Path) -> None:
    file = WavFile(tmp_path / "one.wav")
    file.append(0, SECOND)
    with disk_of(HEADER_BYTES + 20_000):
        file.append(16_000, SECOND)
        closed = file.close(32_000)
    assert samples(tmp_path / "one.wav") == SECOND
    assert (closed.data_bytes, closed.lost_bytes, closed.cause) == (16_000, 16_000, "EFBIG")
    assert closed.size_bytes == (tmp_path / "one.wav").stat().st_size


def test_a_process_that_is_killed_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    code = """
    import pathlib, sys
    from voxbus.gateway.recording.wav_file import WavFile
    file, at = WavFile(pathlib.Path(sys.argv[1])), 0
    while True:
        file.append(at, bytes(range(200)) * 80)
        at += 16_000
        print(at, flush=True)
    """
    path = tmp_path / "one.wav"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    written = [int(process.stdout.readline()) for _ in range(20)][-1]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    data = samples(path)
    assert len(data) >= written
    assert data == SECOND * (len(data) // len(SECOND))


def test_names_hold_no_number_and_lead_nowhere_else(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "recordings")
    store = shelf.store()
    place, path = shelf.make(SID, "MZ1")
    assert (place, path) == (f"{SID}/MZ1.wav", tmp_path / "recordings" / SID / "MZ1.wav")
    for folder in (tmp_path / "recordings", path.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert Shelf(tmp_path / "recordings").store() == store
    assert Shelf(tmp_path / "others").store() != store
    for stream in ("../MZ1", "", "a/b", ".", "a" * 65):
        with pytest.raises(ValueError):
            shelf.make(SID, stream)
    for sid in ("..", "CA", "CA/../x"):
        with pytest.raises(InvalidCallSid):
            shelf.make(sid, "MZ1")
        with pytest.raises(InvalidCallSid):
            shelf.remove(sid)


def test_what_is_removed_is_said(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.store()
    for stream in ("MZ1", "MZ2"):
        WavFile(shelf.make(SID, stream)[1]).close(0)
    WavFile(shelf.make(OTHER, "MZ1")[1]).close(0)
    assert shelf.remove(SID) == [f"{SID}/MZ1.wav", f"{SID}/MZ2.wav"]
    assert shelf.remove(SID) == []
    assert sorted(os.listdir(tmp_path)) == [".store", OTHER]


def test_what_is_old_goes_and_nothing_else_does(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    assert Shelf(tmp_path / "none").expire(1e12) == (0, 0)
    shelf.store()
    for sid, age_s in ((SID, 1000.0), (OTHER, 3000.0)):
        path = shelf.make(sid, "MZ1")[1]
        WavFile(path).close(0)
        for one in (path, path.parent):
            os.utime(one, (age_s, age_s))
    (tmp_path / "notes").mkdir()
    os.utime(tmp_path / "notes", (1.0, 1.0))
    assert shelf.expire(2000.0) == (1, 0)
    assert sorted(os.listdir(tmp_path)) == [".store", OTHER, "notes"]


def test_a_call_that_cannot_be_removed_keeps_no_other(tmp_path: Path) -> None:
    """Wherever it comes in the directory's order."""
    shelf = Shelf(tmp_path)
    sids = ["CA" + digit * 32 for digit in "01234"]
    for sid in sids:
        WavFile(shelf.make(sid, "MZ1")[1]).close(0)
    (tmp_path / next(name for name in os.listdir(tmp_path)) / "folder").mkdir()
    assert shelf.expire(time.time() + 60) == (4, 1)
    assert len(os.listdir(tmp_path)) == 1


async def test_a_slow_disk_keeps_nobody_waiting_and_what_waits_is_bounded() -> None:
    writer = Writer(limit_bytes=1000)
    goes_on = threading.Event()
    writer.post(goes_on.wait)
    done: list[int] = []
    taken = [writer.post(lambda: done.append(1), 400) for _ in range(3)]
    assert taken == [True, True, False]
    assert writer.waiting_bytes == 800
    goes_on.set()
    assert await writer.ask(lambda: list(done)) == [1, 1]
    assert writer.post(lambda: None, 400)


async def test_what_fails_in_the_thread_is_raised_where_it_was_asked_for() -> None:
    writer = Writer()

    def fail() -> None:
        raise OSError(28, "no room")

    with pytest.raises(OSError, match="no room"):
        await writer.ask(fail)
    assert await writer.ask(lambda: 7) == 7


async def test_gateways_that_share_a_directory_remove_each_file_once(tmp_path: Path) -> None:
    one, two = Recordings(tmp_path, 30.0), Recordings(tmp_path, 30.0)
    assert decode(Removed, await one.remove(encode(Removal((SID,)))) or b"") == Removed("", 0, ())
    store = one.shelf.store()
    WavFile(one.shelf.make(SID, "MZ1")[1]).close(0)
    assert decode(Removed, await one.remove(encode(Removal((SID, OTHER)))) or b"") == Removed(store, 1, ())
    assert decode(Removed, await two.remove(encode(Removal((SID, "../x")))) or b"") == Removed(
        store, 0, ("../x",)
    )


async def test_a_disk_that_is_away_says_nothing_of_its_recordings(tmp_path: Path) -> None:
    """Else its recordings would be taken to be removed."""
    recordings = Recordings(tmp_path / "recordings", 30.0)
    store = recordings.shelf.store()
    path = recordings.shelf.make(SID, "MZ1")[1]
    WavFile(path).close(0)
    (tmp_path / "recordings").rename(tmp_path / "away")
    (tmp_path / "recordings").mkdir()
    asked = encode(Removal((SID,)))
    assert decode(Removed, await recordings.remove(asked) or b"") == Removed("", 0, ())
    (tmp_path / "recordings" / ".store").mkdir()  # cannot be read
    assert await recordings.remove(asked) is None
    (tmp_path / "recordings" / ".store").rmdir()
    (tmp_path / "recordings").rmdir()
    (tmp_path / "away").rename(tmp_path / "recordings")
    assert decode(Removed, await recordings.remove(asked) or b"") == Removed(store, 1, ())


async def test_nonsense_removes_nothing_and_gets_no_answer(tmp_path: Path) -> None:
    for nonsense in (b"", b"\x00", b"\x81\xa5calls\xa1x"):
        assert await Recordings(tmp_path, 30.0).remove(nonsense) is None


async def test_what_cannot_be_removed_is_named(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, 30.0)
    store = recordings.shelf.store()
    (recordings.shelf.make(SID, "MZ1")[1]).mkdir()  # no file
    assert decode(Removed, await recordings.remove(encode(Removal((SID,)))) or b"") == Removed(
        store, 0, (SID,)
    )
