"""A server of its own for the tests of load and faults, and a visitor in its place whom nothing may disturb."""
import pytest

from tests.servers import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    """The dashboard with one place for heavy work, which forgets lost sessions after a second."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    with serving(log, ZIGZAG_HEAVY_PLACES="1", ZIGZAG_UPLOADS_MIB="90", STREAMLIT_SERVER_MAX_UPLOAD_SIZE="20",
                 STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL="1", ZIGZAG_LOG="json") as running:
        yield running


@pytest.fixture(autouse=True)
def _still_well(server: Server):
    """After each fault the same process is there and answers."""
    yield
    assert server.process.poll() is None and server.healthy()
