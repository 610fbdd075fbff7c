"""A sweep on a real Dask cluster: a scheduler and two workers, started on this machine for these tests alone."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zz_core import Experiment
from zz_core.sweep import Grid, run, table

pytest.importorskip("distributed", reason="pip install -r requirements-cluster.txt")
from distributed import Client  # noqa: E402

ROOT = Path(__file__).parents[1]
GRID = Grid(Experiment(steps=400), {"batch_size": [1, 8, 256, 300], "treatment": ["none", "center"]}, 5)
pytestmark = pytest.mark.xdist_group("cluster")


def started(*command: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def worker(address: str) -> subprocess.Popen:
    return started("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                   "--host", "127.0.0.1")


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, list[subprocess.Popen]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = started("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
                        "--no-dashboard")
    workers = [worker(address), worker(address)]
    try:
        with Client(address, timeout="60s") as client:
            client.wait_for_workers(2, timeout=60)
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait(10)


def test_a_cluster_gives_the_same_table(cluster):
    assert json.dumps(table(run(GRID, cluster[0]))) == json.dumps(table(run(GRID, "none")))


def test_a_sweep_that_is_left_ends_its_tasks_on_the_cluster(cluster, tmp_path):
    many = Grid(Experiment(steps=5000), {"seed": list(range(40))}, 10)
    going = run(many, cluster[0], tmp_path / "kept.db")
    done = [next(going), next(going)]
    going.close()
    with Client(cluster[0]) as client:
        deadline = time.monotonic() + 30
        while any(client.processing().values()) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(client.processing().values())
    again = list(run(Grid(many.base, {"seed": [result.task.fields["seed"] for result in done]}, 10), "none",
                     tmp_path / "kept.db"))
    assert sorted(r.values["steps"] for r in again) == sorted(r.values["steps"] for r in done)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_killed_in_mid_sweep_loses_nothing(cluster):
    address, workers = cluster
    many, found = Grid(Experiment(steps=3000), {"seed": list(range(16))}, 10), []
    for result in run(many, address):
        found.append(result)
        if len(found) == 3:
            workers[0].send_signal(signal.SIGKILL)
    assert json.dumps(table(found)) == json.dumps(table(run(many, "none")))


def test_an_address_without_a_scheduler_is_a_sentence():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(ValueError, match="must be the address of a Dask scheduler that answers"):
        list(run(GRID, nowhere))
