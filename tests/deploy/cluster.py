"""Replicas of the dashboard behind nginx, on this machine alone: the configuration and the image of `deploy/`.

The tests of this folder take two, `python -m tests.load --replicas` as many as it is told. They run from a folder that
holds what the Dockerfile copies, with the environment that it sets. The files for nginx are those of `deploy/nginx/`,
but for ports, and folders that only an administrator may write to.
"""
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.deploy.visitor import get
from tests.servers import ROOT, START_SECONDS, Server, free_ports

DEPLOY = ROOT / "deploy"
HEALTH = "/_stcore/health 200"  # as nginx logs it
SECRET = "a-secret-that-all-replicas-share-in-these-tests"
PART_OF_A_REPLICA = re.compile(r"^(?:upstream replica_(850\d) \{.*?^\}\n|[^\n]*\b(850\d)\b[^\n]*\n)",
                               re.MULTILINE | re.DOTALL)  # of replicas.conf: a block, or a line of the others


@dataclass
class Replica(Server):
    """A process as the Dockerfile starts it, on a port of its own."""

    image: Path

    def start(self) -> None:
        environment = {**os.environ, **settings(), "PYTHONPATH": str(self.image),
                       "STREAMLIT_SERVER_ADDRESS": "127.0.0.1", "STREAMLIT_SERVER_PORT": str(self.port),
                       "STREAMLIT_SERVER_COOKIE_SECRET": SECRET}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", *command()], cwd=self.image, env=environment,
                                            stdout=log, stderr=subprocess.STDOUT)

    def end(self, how: str) -> None:
        getattr(self.process, how)()
        self.process.wait(60)


class Cluster:
    """The replicas by their ports, and the address of the nginx before them."""

    def __init__(self, port: int, replicas: list[Replica], nginx: list[str], folder: Path):
        self.replicas, self.nginx, self.folder = {replica.port: replica for replica in replicas}, nginx, folder
        self.port, self.host, self.url = port, f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
        self.ws = f"ws://{self.host}"

    def memory(self) -> float:
        """MiB of all replicas; nginx takes little."""
        return sum(replica.memory() for replica in self.replicas.values())

    def cpu(self) -> float:
        """Seconds of a core that all replicas have used."""
        return sum(replica.cpu() for replica in self.replicas.values())

    def reload(self) -> None:
        subprocess.run([*self.nginx, "-s", "reload"], check=True, capture_output=True)

    def wait_until_asked(self, *replicas: Replica) -> None:
        """nginx leaves a replica that did not answer alone for a moment. Until each of these is asked again."""
        missing, deadline = {str(replica.port) for replica in replicas}, time.monotonic() + START_SECONDS
        known = len(self.logged(HEALTH))
        while missing and time.monotonic() < deadline:
            get(self.host, "/_stcore/health")
            time.sleep(0.05)  # the log has it a little after the answer
            missing -= {line.split()[-1] for line in self.logged(HEALTH)[known:]}
        if missing:
            raise RuntimeError(f"nginx does not ask {missing}")

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
    (folder / "replicas.conf").write_text(PART_OF_A_REPLICA.sub(partial(for_each, replicas), text), encoding="utf-8")
    return folder / "nginx.conf"


def for_each(replicas: list[int], part: re.Match) -> str:
    """What replicas.conf says of its first replica, said of each of these; what it says of others is left out."""
    if "8501" not in part.groups():
        return ""
    return "".join(replaced(part[0], {"8501": str(port)}).replace(f"zigzag-{port}", "127.0.0.1") for port in replicas)


def nginx_program() -> str:
    """Its path; FileNotFoundError where there is none."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise FileNotFoundError("no nginx to test with: install it, on Debian with `apt-get install nginx-light`")
    return found


@contextmanager
def running(folder: Path, count: int = 2, script: Path = ROOT / "dashboard.py") -> Iterator[Cluster]:
    """So many replicas behind nginx while this is open; script: an app that takes the dashboard's place."""
    image = folder / "image"
    image.mkdir(parents=True)
    copy_image(image)
    shutil.copy(script, image / "dashboard.py")
    port, inner, *own = free_ports(2 + count)
    replicas = [Replica(None, each, folder / f"replica-{each}.log", image) for each in own]
    configuration = write_configuration(folder, port, inner, own)
    nginx = [nginx_program(), "-p", str(folder), "-c", str(configuration), "-g",
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
            replica.wait()
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
