"""A server of its own for a measurement or a test: the dashboard, or another script, on a free port of loopback."""
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
START_SECONDS = 120.0  # several cold starts at once, perhaps on a busy machine


@dataclass
class Server:
    """A running server, its log and what it takes."""

    process: subprocess.Popen
    port: int
    log: Path

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def memory(self) -> float:
        """MiB that are resident, of its process alone: sweeps and networks are loaded apart."""
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    def cpu(self) -> float:
        """Seconds of a core that it has used."""
        used = psutil.Process(self.process.pid).cpu_times()
        return used.user + used.system

    def get(self, path: str, timeout: float = 10.0) -> bytes:
        with urllib.request.urlopen(self.http + path, timeout=timeout) as answer:
            return answer.read()

    def figures(self) -> dict[str, float]:
        """What it tells about itself, by name and labels."""
        pairs = (line.rsplit(" ", 1) for line in self.get("/_stcore/metrics").decode().splitlines() if line[0] != "#")
        return {name: float(value) for name, value in pairs}

    def wait(self) -> None:
        """Until it answers; RuntimeError with the end of its log where it does not."""
        deadline = time.monotonic() + START_SECONDS
        while not self.healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.1)

    def healthy(self) -> bool:
        try:
            return self.get("/_stcore/health", 2.0) == b"ok"
        except OSError:
            return False


def free_ports(count: int) -> list[int]:
    with ExitStack() as probes:
        bound = [probes.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in bound]


def free_port() -> int:
    return free_ports(1)[0]


def launch(script: Path, log: Path, port: int, *before: str, **environment: str) -> subprocess.Popen:
    """Start a server and do not wait for it; before: a command that runs it, such as one that sets its limits."""
    settings = {"STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false", **environment}
    with log.open("ab") as output:
        return subprocess.Popen(
            [*before, sys.executable, "-m", "streamlit", "run", script.name, "--server.address", "127.0.0.1",
             "--server.port", str(port), "--server.headless", "true", "--server.fileWatcherType", "none"],
            cwd=script.parent, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **settings})


@contextmanager
def serving(log: Path, script: Path = ROOT / "dashboard.py", *before: str, **environment: str) -> Iterator[Server]:
    """The server while this is open; environment: what it gets beside this process's own."""
    port = free_port()
    server = Server(launch(script, log, port, *before, **environment), port, log)
    try:
        server.wait()
        yield server
    finally:
        server.process.terminate()
        try:
            server.process.wait(10)
        except subprocess.TimeoutExpired:
            server.process.kill()
