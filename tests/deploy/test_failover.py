"""A replica ends, by a signal or without one: its visitors go on at another, the others notice nothing."""
import os
import subprocess
import sys

import pytest
from websockets.exceptions import ConnectionClosed

from tests.deploy.cluster import dockerfile
from tests.deploy.visitor import Visitor, get
from tests.servers import free_ports


def two_visitors(cluster) -> tuple[Visitor, Visitor]:
    """One at each replica, with something in their address."""
    first = Visitor(cluster.host, "batch_size=8&seed=3").visit()
    for _ in range(10):
        second = Visitor(cluster.host, "batch_size=16").visit()
        if second.replica != first.replica:
            return first, second
    raise AssertionError("ten new visitors on one of two replicas")


def close_code(visitor: Visitor) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            visitor.websocket.recv(timeout=60)
    return closed.value.rcvd.code if closed.value.rcvd else 1006


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_visitors_of_a_replica_that_ends_go_on_at_another(cluster, end):
    hit, spared = two_visitors(cluster)
    gone = cluster.replicas[hit.replica]
    try:
        gone.end(end)
        assert close_code(hit) == (1012 if end == "terminate" else 1006)  # 1012: says itself that it restarts

        back = Visitor(cluster.host, hit.query, hit.cookies).visit()  # what the page does by itself
        assert back.replica == spared.replica != hit.replica
        assert (back.controls["Batch size"], back.controls["Seed"]) == (8, 3)
        assert back.upload() == 204
        assert spared.visit().controls["Batch size"] == 16
        assert get(cluster.host, "/trajectories")[0] == 200
    finally:
        gone.start()
        gone.wait()
    cluster.wait_until_asked(gone)
    # their session is where they are now: the replica that is back does not know it
    assert back.upload() == 204
    new = Visitor(cluster.host)
    assert new.replica == hit.replica  # where the fewest are
    for visitor in (back, spared, new):
        visitor.close()


def test_the_image_knows_whether_its_replica_answers(cluster):
    """The command of HEALTHCHECK, run as it stands in the Dockerfile."""
    instruction = next(words for words in dockerfile() if words[0] == "HEALTHCHECK")
    program = instruction[-1].removesuffix("]")
    for port, healthy in ((next(iter(cluster.replicas)), True), (free_ports(1)[0], False)):
        environment = {**os.environ, "STREAMLIT_SERVER_PORT": str(port)}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
        assert (done.returncode == 0) == healthy, done.stderr


def test_while_no_replica_answers_there_is_a_sentence_that_comes_back(cluster):
    page = get(cluster.host, "/")[2]
    try:
        for replica in cluster.replicas.values():
            replica.end("kill")
        status, headers, body = get(cluster.host, "/trajectories?batch_size=8")
        assert status == 503 and "retry-after" in dict(headers)
        assert b"tries again every five seconds" in body and b'http-equiv="refresh"' in body
    finally:
        for replica in cluster.replicas.values():
            replica.start()
        for replica in cluster.replicas.values():
            replica.wait()
    cluster.wait_until_asked(*cluster.replicas.values())
    assert get(cluster.host, "/")[2] == page
