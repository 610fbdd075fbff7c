"""A sweep on a real Dask cluster: a scheduler and two workers, started on this machine for these tests alone."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.charts import open_page
from zz_core import Experiment
from zz_core.sweep import Grid, Store, run, running, table
from zz_view import sweep_runs

pytest.importorskip("distributed", reason="pip install -r requirements-cluster.txt")
from distributed import Client, LocalCluster  # noqa: E402

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "pages" / "sweep.py"
GRID = Grid(Experiment(steps=400), {"batch_size": [1, 8, 256, 300], "treatment": ["none", "center"]}, 5)
pytestmark = pytest.mark.xdist_group("cluster")


def started(*command: str, root: Path = ROOT) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", *command], cwd=root, env=environment, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def worker(address: str, root: Path = ROOT) -> subprocess.Popen:
    return started("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                   "--host", "127.0.0.1", root=root)


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, list[subprocess.Popen], subprocess.Popen]]:
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
        yield address, workers, scheduler
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait(10)


def test_a_cluster_gives_the_same_table(cluster):
    assert json.dumps(table(run(GRID, cluster[0]))) == json.dumps(table(run(GRID, "none")))


def test_the_page_sweeps_on_the_cluster_that_the_server_is_set_up_with(cluster, monkeypatch):
    monkeypatch.setattr(sweep_runs, "CLUSTER", cluster[0])
    sweep_runs.kept.clear()
    with Client(cluster[0]) as client:
        def done() -> int:
            return sum(client.run(lambda dask_worker: dask_worker.state.executed_count).values())

        before = done()
        page = open_page(PAGE, seeds="5", x_values="1, 32")
        assert done() == before + 4  # two batch sizes, raw and zero-centered
    assert not page.warning and "run on the cluster" in page.caption[0].value


def test_a_cluster_without_workers_is_a_sentence_and_the_page_sweeps_here(monkeypatch):
    with LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", host="127.0.0.1", protocol="tcp") as empty:
        with pytest.raises(ValueError, match="must have at least one worker"):
            list(run(GRID, empty.scheduler_address))
        monkeypatch.setattr(sweep_runs, "CLUSTER", empty.scheduler_address)
        sweep_runs.kept.clear()
        page = open_page(PAGE, seeds="5", x_values="1, 32")
        assert "does not answer" in page.warning[0].value and "on the machine that serves" in page.caption[0].value
        assert page.metric[0].value == "4"
    assert not open_page(PAGE, seeds="5", x_values="1, 32").warning  # all is kept: nothing is asked of the cluster


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


def test_a_worker_without_the_core_is_named_before_anything_runs(cluster, tmp_path):
    """It would end itself at the first task, one worker after the other, and the sweep would wait forever."""
    stranger = worker(cluster[0], tmp_path)
    try:
        with Client(cluster[0]) as client:
            client.wait_for_workers(3, timeout=60)
        with pytest.raises(ValueError, match="must have version .* on all its workers; .*No module named 'zz_core'"):
            list(run(GRID, cluster[0]))
    finally:
        stranger.kill()
        stranger.wait(10)
    with Client(cluster[0]) as client:
        deadline = time.monotonic() + 30
        while len(client.scheduler_info(n_workers=-1)["workers"]) > 2 and time.monotonic() < deadline:
            time.sleep(0.1)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_killed_in_mid_sweep_loses_nothing(cluster):
    address, workers, _ = cluster
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


def test_a_result_that_was_under_way_when_the_connection_broke_is_a_row_too(cluster, monkeypatch):
    """Dask's client then never says what has become of it."""
    gather, fetched = Client._gather, count()

    async def breaking(self, futures, *rest, **options):
        if next(fetched) == 2:
            self.scheduler_comm.comm.abort()
            raise OSError("the connection is gone")
        return await gather(self, futures, *rest, **options)

    monkeypatch.setattr(Client, "_gather", breaking)
    monkeypatch.setattr(running, "LOOK_SECONDS", 0.5)
    found = list(run(Grid(Experiment(steps=3000), {"seed": list(range(16))}, 10), cluster[0]))
    assert len(found) == 16 and sum("canceled" in result.error for result in found) >= 1


def test_a_cluster_that_goes_away_leaves_rows_that_say_so(cluster, tmp_path):
    """The last of the tests on this cluster: it ends the scheduler."""
    many, found = Grid(Experiment(steps=3000), {"seed": list(range(16))}, 10), []
    for result in run(many, cluster[0], tmp_path / "kept.db"):
        found.append(result)
        if len(found) == 2:
            cluster[2].kill()
    errors = [result.error for result in found if result.error]
    assert len(found) == 16 and errors and all("canceled" in error for error in errors)
    with Store(tmp_path / "kept.db") as store:
        assert len(store) == 16 - len(errors) >= 2
