"""What nginx does between visitors and replicas: who gets where, what is compressed, kept, refused and logged."""
import gzip
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import streamlit
from websockets.exceptions import InvalidStatus

from tests.deploy.visitor import Visitor, get
from tests.servers import ROOT

YEAR = 365 * 24 * 3600
ZIPPED = {"Accept-Encoding": "gzip, deflate, br"}
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
           "Sec-WebSocket-Protocol": "streamlit", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}


def static_file(cluster) -> str:
    """The script that the first page names."""
    _, _, page = get(cluster.host, "/")
    return re.search(rb'src="\.?(/static/js/[^"]+\.js)"', page)[1].decode()


def test_visitors_spread_and_every_request_of_theirs_reaches_their_own_replica(cluster):
    visitors = [Visitor(cluster.host).visit() for _ in range(4)]
    try:
        assert {visitor.replica for visitor in visitors} == set(cluster.replicas)
        for visitor in visitors:
            assert [visitor.upload() for _ in range(3)] == [204] * 3
        # so the check can fail: the other replica does not know the session
        other = next(port for port in cluster.replicas if port != visitors[0].replica)
        assert visitors[0].upload(cookies={"zigzag_replica": str(other)}) == 400
    finally:
        for visitor in visitors:
            visitor.close()


def test_a_second_tab_opens_on_the_same_replica(cluster):
    first = Visitor(cluster.host)
    tabs = [Visitor(cluster.host, cookies=first.cookies) for _ in range(3)]
    assert {tab.replica for tab in tabs} == {first.replica}
    for each in (first, *tabs):
        each.close()


@pytest.mark.parametrize("cookie", ["", "1", "any_replica", "127.0.0.1:22", "x" * 2000, "%0d%0aSet-Cookie: a=b"])
def test_a_cookie_that_names_no_replica_is_one_more_new_visitor(cluster, cookie):
    visitor = Visitor(cluster.host, cookies={"zigzag_replica": cookie})
    assert visitor.replica in cluster.replicas and set(visitor.cookies) == {"zigzag_replica"}
    visitor.close()


@pytest.mark.parametrize("scheme, rules", [(None, "SameSite=Lax"), ("https", "SameSite=None; Secure; Partitioned")])
def test_the_cookie_holds_a_port_and_no_script_can_read_it(cluster, scheme, rules):
    status, headers, _ = get(cluster.host, "/_stcore/stream", headers={
        **UPGRADE, **({"X-Forwarded-Proto": scheme} if scheme else {})})
    cookies = [value for name, value in headers if name == "set-cookie"]
    assert status == 101 and len(cookies) == 1
    port, rest = re.fullmatch(r"zigzag_replica=(\d+); Path=/; HttpOnly; (.*)", cookies[0]).groups()
    assert int(port) in cluster.replicas and rest == rules


def test_static_files_come_compressed_and_may_be_kept_for_a_year(cluster):
    path = static_file(cluster)
    original = (Path(streamlit.__path__[0]) / "static" / path.lstrip("/")).read_bytes()
    for _ in range(2):  # from the replica, from nginx's own store
        status, headers, body = get(cluster.host, path, headers=ZIPPED)
        found = dict(headers)
        assert status == 200 and found["content-encoding"] == "gzip" and "javascript" in found["content-type"]
        assert "immutable" in found["cache-control"] and f"max-age={YEAR}" in found["cache-control"]
        assert gzip.decompress(body) == original and len(body) < len(original) / 2
    status, headers, body = get(cluster.host, path)
    assert status == 200 and body == original and "content-encoding" not in dict(headers)


def test_many_first_visits_at_once_ask_a_replica_for_a_static_file_once(cluster):
    scripts = (Path(streamlit.__path__[0]) / "static" / "static" / "js").glob("*.js")
    path = next(path for path in (f"/static/js/{file.name}" for file in sorted(scripts)) if not cluster.logged(path))
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: get(cluster.host, path, headers=ZIPPED), range(20)))
    assert {status for status, _, _ in answers} == {200} and len({body for _, _, body in answers}) == 1
    lines = cluster.logged(path)  # each ends with the port that was asked, or with nothing
    assert len(lines) == 20 and sum(not line.endswith(" ") for line in lines) == 1


def test_pages_are_asked_for_anew_and_what_is_missing_is_not_kept(cluster):
    before = len(cluster.store())
    for path in ("/", "/trajectories?batch_size=8", "/static/js/of.an.older.version.js"):
        status, headers, body = get(cluster.host, path, headers=ZIPPED)
        assert status == 200 and dict(headers)["cache-control"] == "no-cache"
        assert b"<!" in gzip.decompress(body)[:10]
    assert len(cluster.store()) == before


def test_headers_are_those_of_the_dashboard_each_once(cluster):
    """Policies that nginx repeated would be two policies to a browser, and the stricter of each would hold."""
    own = {"server", "date", "connection", "content-length", "content-encoding", "transfer-encoding", "vary", "etag",
           "accept-ranges"}
    for path in ("/", "/trajectories", "/_stcore/host-config", static_file(cluster)):
        direct, behind = ({(name, value) for name, value in get(host, path)[1] if name not in own}
                          for host in (f"127.0.0.1:{next(iter(cluster.replicas))}", cluster.host))
        names = [name for name, _ in get(cluster.host, path)[1] if name not in own]
        assert behind == direct and len(names) == len(set(names)), path


def test_no_answer_tells_what_serves_it(cluster):
    """Neither nginx's version nor the replica's server."""
    answers = [get(cluster.host, path)[1] for path in ("/", "/_stcore/health", static_file(cluster), "/nginx-health",
                                                       "/_stcore/metrics")]
    answers.append(get(cluster.host, "/_stcore/stream", headers=UPGRADE)[1])
    for headers in answers:
        assert [value for name, value in headers if name == "server"] == ["nginx"], headers


def test_a_page_of_another_site_cannot_open_a_session(cluster):
    for origin in ("http://elsewhere.example", "null", f"http://{cluster.host}.elsewhere.example", "http://127.0.0.1"):
        with pytest.raises(InvalidStatus) as refused:
            Visitor(cluster.host, origin=origin)
        assert refused.value.response.status_code == 403
    Visitor(cluster.host, origin=f"https://{cluster.host}").close()  # encrypted up to a balancer before nginx


def test_uploads_of_the_allowed_size_pass_and_larger_ones_end_at_nginx(cluster):
    with (ROOT / ".streamlit" / "config.toml").open("rb") as file:
        limit = tomllib.load(file)["server"]["maxUploadSize"] * 2**20
    visitor = Visitor(cluster.host).visit()
    assert visitor.upload(limit - 1000) == 204
    assert visitor.upload(limit + 2**20) == 413
    visitor.close()


def test_health_is_for_all_and_metrics_are_not(cluster):
    assert get(cluster.host, "/nginx-health")[0] == 200
    assert get(cluster.host, "/_stcore/health")[::2] == (200, b"ok")
    assert get(cluster.host, "/_stcore/metrics")[0] == 404
    own = f"127.0.0.1:{next(iter(cluster.replicas))}"
    assert get(own, "/_stcore/metrics")[0] == 200


def test_the_log_names_neither_visitors_nor_what_they_do(cluster):
    visitor = Visitor(cluster.host, "batch_size=8").visit()
    get(cluster.host, "/trajectories?learning_rate=0.12345")
    assert visitor.upload() == 204
    visitor.close()
    text = "\n".join(cluster.logged(""))
    assert "/trajectories" in text and "/_stcore/upload_file/..." in text
    for secret in ("0.12345", "batch_size", visitor.session, "127.0.0.1", "python"):
        assert secret not in text.lower()


def test_a_changed_configuration_is_loaded_without_closing_a_page(cluster):
    visitor = Visitor(cluster.host, "batch_size=8").visit()
    cluster.reload()
    session = visitor.session
    assert visitor.visit().session == session and visitor.controls["Batch size"] == 8
    Visitor(cluster.host).close()
    visitor.close()
