"""Room for uploads: so much for a session, so much for all; what is refused is read to its end and answered."""
import asyncio

import pytest

from zz_view.hosting import uploads
from zz_view.hosting.uploads import UploadLimits

MIB = 2**20


@pytest.fixture
def stored(monkeypatch) -> dict[str, int]:
    """What sessions hold already."""
    held: dict[str, int] = {}
    monkeypatch.setattr(uploads, "held", lambda: uploads.Counter(held))
    monkeypatch.setenv("ZIGZAG_UPLOADS_MIB", "100")
    monkeypatch.setattr(uploads.config, "get_option", lambda name: 20)
    return held


def put(limits: UploadLimits, session: str, length: str | None, path: str = "/_stcore/upload_file/{}/f") -> int:
    return asyncio.run(_put(limits, session, length, path))


async def _put(limits, session, length, path) -> int:
    sent, parts = [], [{"type": "http.request", "body": b"x", "more_body": k < 2} for k in range(3)]

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    headers = [] if length is None else [(b"content-length", length.encode())]
    await limits({"type": "http", "method": "PUT", "path": path.format(session), "headers": headers}, receive, send)
    assert not parts  # read to its end, by the app or by the one that refuses it
    return sent[0]["status"]


async def app(scope, receive, send):
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})


def test_a_session_may_hold_three_files_of_the_largest_size(stored):
    limits = UploadLimits(app)
    stored["one"] = 40 * MIB
    assert put(limits, "one", str(20 * MIB)) == 204
    stored["one"] = 60 * MIB
    assert put(limits, "one", "1") == 413 and put(limits, "two", "1") == 204


def test_all_sessions_together_hold_what_the_host_allows(stored):
    limits = UploadLimits(app)
    stored |= {"one": 50 * MIB, "two": 40 * MIB}
    assert put(limits, "three", str(10 * MIB)) == 204 and put(limits, "three", str(10 * MIB + 1)) == 507


def test_what_is_too_large_is_left_to_streamlit_which_reads_none_of_it(stored):
    stored["one"] = 100 * MIB
    for length in (str(20 * MIB + 1), str(10**30)):
        assert put(UploadLimits(app), "two", length) == 204  # of the app, which stands for Streamlit's 413


@pytest.mark.parametrize("length", [None, "-5", "many", "٣"])
def test_who_does_not_say_how_much_is_taken_for_the_largest(stored, length):
    limits = UploadLimits(app)
    stored["one"] = 100 * MIB - 21 * MIB
    assert put(limits, "two", length) == 204
    stored["one"] += 1
    assert put(limits, "two", length) == 507


def test_what_is_under_way_counts_and_counts_no_more_when_it_ends(stored):
    async def at_once() -> list[int]:
        async def slow(scope, receive, send):
            await asyncio.sleep(0.01)
            await app(scope, receive, send)

        limits = UploadLimits(slow)
        codes = await asyncio.gather(*(_put(limits, str(k), str(20 * MIB), "/_stcore/upload_file/{}/f")
                                       for k in range(7)))
        assert limits.coming.total() == 0
        return codes

    assert sorted(asyncio.run(at_once())) == [204] * 5 + [507] * 2


def test_nothing_else_is_touched(stored):
    stored["one"] = 100 * MIB
    assert put(UploadLimits(app), "one", "5", "/media/{}") == 204
