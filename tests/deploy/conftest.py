"""One cluster for all tests of this folder: two replicas take long to start."""
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.cluster import Cluster, nginx_program, running


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        nginx_program()
    except FileNotFoundError as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))
    folder: Path = tmp_path_factory.mktemp("cluster")
    with running(folder) as cluster:
        yield cluster


@pytest.fixture
def cluster(started: Cluster) -> Cluster:
    """As a test wants it: no visitor of a former one is left, so nginx asks one replica after the other."""
    started.wait_until_asked(*started.replicas.values())
    return started
