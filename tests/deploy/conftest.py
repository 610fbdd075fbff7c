"""One cluster for all tests of this folder: two replicas take long to start."""
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.cluster import Cluster, running


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder: Path = tmp_path_factory.mktemp("cluster")
    with running(folder) as cluster:
        yield cluster
