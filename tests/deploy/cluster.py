"""Two replicas of the dashboard behind nginx, on this machine alone: the configuration and the image of `deploy/`.

The replicas run from a folder that holds what the Dockerfile copies, with the environment that it sets. The files for
nginx are those of `deploy/nginx/`, but for ports, and folders that only an administrator may write to.
"""
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.visitor import get

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
START_SECONDS = 120  # two cold starts at once, perhaps on a busy machine
SECRET = "a-secret-that-both-replicas-share-in-these-tests"


class Replica:
    """A process as the Dockerfile starts it, on a port of its own."""

    def __init__(self, image: Path, port: int, log: Path):
        self.image, self.port, self.log, self.process = image, port, log, None

    def start(self) -> None:
        environment = {**os.environ, **settings(), "PYTHONPATH": str(self.image),
                       "STREAMLIT_SERVER_ADDRESS": "127.0.0.1", "STREAMLIT_SERVER_PORT": str(self.port),
                       "STREAMLIT_SERVER_COOKIE_SECRET": SECRET}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", *command()], cwd=self.image, env=environment,
                                            stdout=log, stderr=subprocess.STDOUT)

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=2) as answer:
                    if answer.read() == b"ok":
                        return
            except OSError:
                time.sleep(0.1)
        pytest.fail(f"the replica did not start:\n{self.log.read_text(errors='replace')[-4000:]}", pytrace=False)

    def end(self, how: str) -> None:
        getattr(self.process, how)()
        self.process.wait(60)


class Cluster:
    """The replicas by their ports, and the address of the nginx before them."""

    def __init__(self, port: int, replicas: list[Replica], nginx: list[str], folder: Path):
        self.replicas, self.nginx, self.folder = {replica.port: replica for replica in replicas}, nginx, folder
        self.host, self.url = f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"

    def reload(self) -> None:
        subprocess.run([*self.nginx, "-s", "reload"], check=True, capture_output=True)

    def wait_until_asked(self, *replicas: Replica) -> None:
        """nginx leaves a replica that did not answer alone for a moment. Until one of these is asked again."""
        ports, deadline = {str(replica.port) for replica in replicas}, time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if get(self.host, "/_stcore/health")[0] == 200:
                if self.logged("/_stcore/health 200")[-1].split()[-1] in ports:
                    return
            time.sleep(0.1)
        pytest.fail(f"nginx asks none of {ports}", pytrace=False)

    def store(self) -> list[Path]:
        """The files that nginx keeps."""
        return [path for path in (self.folder / "cache" / "static").rglob("*") if path.is_file()]

    def logged(self, part: str) -> list[str]:
        """The lines of nginx's log that have this in them."""
        text = (self.folder / "log" / "access.log").read_text(encoding="utf-8")
        return [line for line in text.splitlines() if part in line]


def dockerfile() -> list[list[str]]:
    """The instructions, each as its words."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [shlex.split(line) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def command() -> list[str]:
    last = [line for line in (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
            if line.startswith("CMD ")][-1]
    return json.loads(last.removeprefix("CMD "))


def settings() -> dict[str, str]:
    """What ENV sets, but for the paths of the container."""
    pairs = [word.split("=", 1) for name, *words in dockerfile() if name == "ENV" for word in words]
    return {name: value for name, value in pairs if name not in ("PATH", "PYTHONPATH")}


def copy_image(folder: Path) -> None:
    """What COPY brings into the last stage, laid out as there."""
    for name, *words in dockerfile():
        if name != "COPY" or words[0].startswith("--from") or words[-1].startswith("/"):
            continue
        *sources, target = words
        for source in sources:
            found = ROOT / source
            if found.is_dir():  # its content, as COPY does
                shutil.copytree(found, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (folder / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(found, folder / target)


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"deploy/nginx no longer says {old!r}, which these tests replace"
        text = text.replace(old, new)
    return text


def write_configuration(folder: Path, port: int, inner: int, replicas: list[int]) -> Path:
    for name in ("cache", "log"):
        (folder / name).mkdir()
    text = (DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    temporary = "".join(f"    {name}_temp_path {folder}/cache/{name};\n"
                        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(replaced(text, {
        "listen 8080;": f"listen 127.0.0.1:{port};", "127.0.0.1:8079": f"127.0.0.1:{inner}",
        "/var/cache/nginx": f"{folder}/cache", "/var/log/nginx": f"{folder}/log", "http {\n": "http {\n" + temporary}),
        encoding="utf-8")
    text = (DEPLOY / "nginx" / "replicas.conf").read_text(encoding="utf-8")
    for number, own in enumerate(replicas, 1):
        text = replaced(text, {f"zigzag-850{number}": "127.0.0.1", f"850{number}": str(own)})
    (folder / "replicas.conf").write_text(text, encoding="utf-8")
    return folder / "nginx.conf"


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        report = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        report("no nginx to test with: install it, on Debian with `apt-get install nginx-light`")
    image = folder / "image"
    image.mkdir()
    copy_image(image)
    port, inner, *own = free_ports(4)
    replicas = [Replica(image, each, folder / f"replica-{each}.log") for each in own]
    configuration = write_configuration(folder, port, inner, own)
    nginx = [program, "-p", str(folder), "-c", str(configuration), "-g",
             f"pid {folder}/nginx.pid;" + (" user root;" if os.geteuid() == 0 else "")]
    checked = subprocess.run([*nginx, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0 and "[warn]" not in checked.stderr, checked.stderr
    server = None
    try:
        for replica in replicas:
            replica.start()
        server = subprocess.Popen([*nginx[:-1], nginx[-1] + " daemon off;"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        for replica in replicas:
            replica.wait_until_it_answers()
        yield Cluster(port, replicas, nginx, folder)
    finally:
        for process in (server, *(replica.process for replica in replicas)):
            if process is not None:
                process.terminate()
        for process in (server, *(replica.process for replica in replicas)):
            if process is not None:
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
