"""What may happen to a server in the open: nothing that one client does ends it, or reaches another visitor."""
import asyncio
import os
import random
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from urllib.parse import quote

import numpy as np
import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.load.crowds import Crowd, crowd, fetched, first_visits
from tests.load.sessions import Visitor
from tests.servers import ROOT, Server, free_port, launch, serving
from zz_core.experiment import CHOICES, DEFAULTS
from zz_view.diagnosis_sources import UPLOAD

LARGEST = 20 * 2**20  # of an upload to the server of these tests


async def undisturbed(server: Server, trouble) -> None:
    """Run the trouble while another visitor plays; all that this one asks for comes, and without an error."""
    async with Visitor(server.ws, "trajectories", rng=random.Random(1)) as bystander:
        assert (await bystander.open()).errors == []
        task = asyncio.ensure_future(trouble)
        changes = 0
        while not task.done() or changes < 2:
            assert (await bystander.change("learning_rate")).errors == []
            changes += 1
        await task


def test_a_crowd_and_first_visits_at_once_are_all_served(server):
    """The short version of `python -m tests.load`."""
    found = asyncio.run(crowd(server, 6, 3.0, thinking=1.0, arriving=0.02))
    assert found.errors == [] and len(found.first) == 6 and len(found.changes) >= 6
    found = asyncio.run(first_visits(server, 20))
    assert found.errors == [] and len(found.first) == 20


def test_visitors_at_the_same_time_see_their_own_experiments_and_no_others(server):
    async def visit(seed: int) -> set[float]:
        async with Visitor(server.ws, "trajectories", {"seed": str(seed)}) as visitor:
            seen = set()
            for number in range(3):
                reply = await (visitor.change("batch_size", number + 1) if number else visitor.open())
                assert reply.errors == []
                seen.add(visitor.controls["seed"].shown)
            return seen

    async def visits() -> list[set[float]]:
        return await asyncio.gather(*(visit(seed) for seed in range(1, 9)))

    assert asyncio.run(visits()) == [{seed} for seed in range(1, 9)]


def test_ten_thousand_malformed_frames(server):
    rng = random.Random(0)

    def frame(number: int) -> bytes | str:
        whole = BackMsg(rerun_script={"query_string": "steps=9", "page_script_hash": "x" * 40}).SerializeToString()
        return [rng.randbytes(rng.randint(1, 300)), whole[:rng.randint(1, len(whole) - 1)], b"", "text " * 20,
                b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f" + b"\x00" * 50][number % 6]

    async def burst(start: int) -> None:
        # uvicorn may close while we still send: that is what it should do
        with suppress(websockets.WebSocketException, OSError):
            async with websockets.connect(f"{server.ws}/_stcore/stream", compression=None, close_timeout=2) as socket:
                for number in range(start, start + 50):
                    await socket.send(frame(number))

    async def trouble() -> None:
        for start in range(0, 10_000, 1000):
            await asyncio.gather(*(burst(start + k) for k in range(0, 1000, 50)))

    asyncio.run(undisturbed(server, trouble()))


def test_random_bytes_on_the_port(server):
    rng = random.Random(0)

    async def trouble() -> None:
        for number in range(200):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            start = [b"", b"GET / HTTP/1.1\r\n", b"PUT /_stcore/upload_file/a/b HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                     b"GET /_stcore/stream HTTP/1.1\r\nUpgrade: websocket\r\n"][number % 4]
            writer.write(start + rng.randbytes(rng.randint(1, 4000)))
            with suppress(OSError):
                await writer.drain()
                writer.close()

    asyncio.run(undisturbed(server, trouble()))


def test_slow_clients_keep_nobody_waiting(server):
    """Fifty requests that come a byte at a time, and never end."""
    async def trouble() -> None:
        writers = [(await asyncio.open_connection("127.0.0.1", server.port))[1] for _ in range(50)]
        for byte in b"GET / HTTP/1.1\r\nHost: a":
            for writer in writers:
                writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        assert b"<script" in await fetched(server, "/")
        for writer in writers:
            writer.close()

    asyncio.run(undisturbed(server, trouble()))


def test_clients_that_stop_reading_do_not_fill_the_memory(server):
    async def deaf() -> None:
        async with Visitor(server.ws, "trajectories") as visitor:
            await visitor.open()
            visitor.socket.transport.pause_reading()
            for seed in range(60):
                visitor.query["seed"] = str(seed)
                with suppress(websockets.WebSocketException):  # closed on us: as it should be
                    await visitor.send()
                await asyncio.sleep(0.05)
            visitor.socket.transport.abort()

    async def trouble() -> None:
        await asyncio.gather(*(deaf() for _ in range(5)))

    before = server.memory()
    asyncio.run(undisturbed(server, trouble()))
    assert server.memory() - before < 150


def test_uploads_of_the_largest_size_at_once_and_more_than_there_is_room_for(server):
    async def trouble() -> None:
        async with Visitor(server.ws, "glossary") as one, Visitor(server.ws, "glossary") as two:
            await one.open(), await two.open()
            wanted = [(visitor, LARGEST - 2000) for visitor in (one, two) for _ in range(5)] + [(one, LARGEST + 1)]
            codes = await asyncio.gather(*(upload(server, visitor.session, f"file-{k}", size)
                                           for k, (visitor, size) in enumerate(wanted)))
            assert codes[-1] == 413  # larger than a file may be
            assert set(codes[:-1]) <= {204, 413, 507} and 2 <= codes.count(204) <= 4  # 90 MiB for all of them
            assert server.figures()["zigzag_upload_bytes"] <= 90 * 2**20
            assert await upload(server, one.session, "a-file", 1000, token=False) == 403  # another site's page
            assert await upload(server, "not-a-session", "a-file", 1000) == 400

    asyncio.run(undisturbed(server, trouble()))


def test_a_session_that_has_ended_leaves_no_files(server):
    async def visit() -> str:
        async with Visitor(server.ws, "glossary") as visitor:
            await visitor.open()
            assert await upload(server, visitor.session, "a-file", 5_000_000) == 204
            assert server.figures()["zigzag_upload_bytes"] >= 5_000_000

    asyncio.run(visit())
    for _ in range(200):
        if server.figures()["zigzag_upload_bytes"] == 0:  # asking looks at the sessions, too
            return
        threading.Event().wait(0.1)
    pytest.fail(f"{server.figures()['zigzag_upload_bytes']} bytes are still held")


async def upload(server: Server, session: str, name: str, size: int = 0, token: bool = True,
                 content: bytes = b"") -> int:
    """The status of an upload as the browser makes it, 413 where it is cut off; without its token as another site's
    page would. Of so many zeros where there is no content."""
    body = (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.npy"\r\n\r\n'
            + (content or b"\0" * size) + b"\r\n--x--\r\n")
    secret = "ab" * 16
    lines = [f"PUT /_stcore/upload_file/{session}/{name} HTTP/1.1", f"Host: 127.0.0.1:{server.port}",
             f"Content-Length: {len(body)}", "Content-Type: multipart/form-data; boundary=x", "Connection: close",
             *([f"Cookie: _streamlit_xsrf={secret}", f"X-Xsrftoken: {secret}"] if token else []), "", ""]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        with suppress(OSError):  # it may say no and hang up before it has read everything
            writer.write("\r\n".join(lines).encode() + body)
            await writer.drain()
        return int((await asyncio.wait_for(reader.readline(), 60)).split()[1])
    except (OSError, IndexError):
        return 413
    finally:
        writer.close()


def test_heavy_work_of_two_visitors_goes_in_turn_and_who_leaves_frees_the_place(server):
    async def visits() -> None:
        async with Visitor(server.ws, "claims") as first, Visitor(server.ws, "claims") as second:
            await first.send("claims")
            await first.watch("Running the experiments")
            await second.send("claims")
            seen = await second.watch("in the queue")
            assert "number 1 in the queue" in seen and "1 running" in seen
            assert server.figures()["zigzag_heavy_waiting"] == 1
            await first.socket.close()
            await second.watch("Running the experiments")  # which it may have done by the time that this is heard

    asyncio.run(visits())
    for _ in range(300):
        figures = server.figures()
        if figures["zigzag_heavy_running"] == figures["zigzag_heavy_waiting"] == 0:
            return
        threading.Event().wait(0.1)
    pytest.fail("the place is still taken")


MOST_WAITED = 2.0  # seconds longer than without the others
TRIES = 3  # the machine may be busy with something else in one of them; a server that keeps others waiting does in all


def keeps_nobody_waiting(alone: Callable[[], Crowd], beside: Callable[[], Crowd]) -> None:
    """The slowest change of light visitors beside heavy work is at most so much slower than without it."""
    waited = []
    for _ in range(TRIES):
        quiet, found = alone(), beside()
        assert quiet.errors == found.errors == []
        waited.append(max(found.changes) - max(quiet.changes))
        if waited[-1] < MOST_WAITED:
            return
    pytest.fail(f"in {TRIES} tries the slowest change took {[round(each, 2) for each in waited]} s longer")


def light_visitors(server: Server, seconds: float, heavy: int = 0) -> Crowd:
    return asyncio.run(crowd(server, 5, seconds, thinking=1.0, arriving=0.02, heavy=heavy))


def test_heavy_pages_keep_nobody_waiting_for_more_than_two_seconds(server):
    """Eight visitors with experiments as large as one gets; so the test can fail: they train, and wait for a place."""
    before = server.figures().get("zigzag_heavy_wait_seconds_count", 0)
    keeps_nobody_waiting(partial(light_visitors, server, 8.0), partial(light_visitors, server, 20.0, heavy=8))
    assert server.figures()["zigzag_heavy_wait_seconds_count"] > before


def test_tables_as_large_as_one_may_bring_keep_nobody_waiting_for_more_than_two_seconds(server):
    rows = np.random.default_rng(0).random((30_000, 60))
    table = "\n".join(",".join(f"{value:.8f}" for value in row) for row in rows).encode()
    assert 0.9 * LARGEST < len(table) < LARGEST - 2000

    async def bring(number: int, said: list[str]) -> None:
        async with Visitor(server.ws, "your-data", {"own_source": UPLOAD}) as visitor:
            assert (await visitor.open()).errors == []
            assert await upload(server, visitor.session, f"table-{number}", content=table) == 204
            assert (await visitor.hand_in("table.csv", f"table-{number}", len(table))).errors == []
            said.append("30,000" in " ".join(visitor.texts))

    async def playing_beside() -> Crowd:
        said: list[str] = []
        playing = asyncio.ensure_future(crowd(server, 5, 12.0, thinking=1.0, arriving=0.02))
        await asyncio.sleep(2.0)
        await asyncio.gather(*(bring(number, said) for number in range(3)))
        assert said == [True] * 3
        return await playing

    keeps_nobody_waiting(partial(light_visitors, server, 8.0), lambda: asyncio.run(playing_beside()))


@pytest.mark.parametrize("query", [
    {"samples": "65536", "batch_size": "65536", "steps": "100000"},  # solved at once, and 52 GB to measure
    {"loss": "logistic", "samples": "65536", "batch_size": "1", "steps": "100000"}], ids=["memory", "time"])
def test_what_would_take_long_only_to_measure_is_refused(server, query):
    async def visit() -> None:
        async with Visitor(server.ws, "trajectories", query) as visitor:
            assert (await visitor.open()).errors == []
            assert any("that one visitor gets here. Set **Steps** to" in text for text in visitor.texts)

    asyncio.run(undisturbed(server, visit()))


SEPARATE = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
NASTY = st.one_of(st.text(max_size=30), st.sampled_from([
    "nan", "inf", "-1", "1e999", "9" * 400, "../../etc/passwd", "<script>alert(1)</script>", "%00", "'; DROP TABLE",
    "{}", "\u202e", "0x10", "true", "[1,2]"]))
PREFIXES = ["", "sweep", "_stcore/", "static/../../", "media/", "/host/", "component/x/", "_stcore/bidi-components/"]


@settings(max_examples=1000, suppress_health_check=SEPARATE)
@given(st.sampled_from(PREFIXES), st.binary(max_size=80) | st.text(max_size=40).map(lambda text: quote(text).encode()))
def test_hostile_addresses_are_answered_without_an_error(server, prefix, tail):
    """Raw bytes, since a browser's library would mend them."""
    path = b"/" + prefix.encode() + re.sub(rb"[\r\n ]", b"%0a", tail)

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
        try:
            return await asyncio.wait_for(reader.read(), 30)
        finally:
            writer.close()

    answer = asyncio.run(ask())
    status = int(answer.split(b" ", 2)[1])
    assert status < 500 and b"Traceback" not in answer


@settings(max_examples=25, suppress_health_check=SEPARATE)
@given(st.dictionaries(st.sampled_from([*DEFAULTS, "embed", "present", "other_seeds"]),
                       NASTY | st.sampled_from([value for values in CHOICES.values() for value in values])
                       | st.integers(-10, 10**6).map(str), max_size=5))
def test_hostile_links_open_a_page_with_sentences_and_no_error(server, query):
    async def visit() -> list[str]:
        async with Visitor(server.ws, "trajectories", query) as visitor:
            return (await visitor.open()).errors

    assert asyncio.run(visit()) == []
    assert server.figures().get('zigzag_script_errors_total{kind="ValueError"}', 0) == 0


def test_a_full_disk_keeps_nobody_from_the_pages(server):
    """A server that cannot write a single byte to a file: pages and caches need no disk; a large upload is refused."""
    before = ("sh", "-c", 'ulimit -f 0; exec "$@"', "full-disk")
    with serving(ROOT / os.devnull, ROOT / "dashboard.py", *before) as full:
        async def visit() -> None:
            async with Visitor(full.ws, "trajectories", rng=random.Random(1)) as visitor:
                assert (await visitor.open()).errors == []
                assert (await visitor.change("seed")).errors == []
                assert await upload(full, visitor.session, "a-file", 1000) == 204  # in memory
                assert await upload(full, visitor.session, "a-file", LARGEST - 2000) >= 400
                assert (await visitor.change("seed")).errors == []

        asyncio.run(visit())
        assert full.healthy()


def test_a_killed_server_comes_back_and_so_do_the_sessions(tmp_path, server):
    """Under a supervisor that does no more than `restart: always`; the state is in the address."""
    port, log, over, started = free_port(), tmp_path / "log", threading.Event(), []

    def supervise() -> None:
        while not over.is_set():
            started.append(launch(ROOT / "dashboard.py", log, port))
            started[-1].wait()

    supervisor = threading.Thread(target=supervise, daemon=True)
    supervisor.start()
    try:
        while not started:
            threading.Event().wait(0.01)
        Server(started[0], port, log).wait()
        asyncio.run(killed_under(Server(started[0], port, log), started))
    finally:
        over.set()
        started[-1].kill()
        supervisor.join(10)


async def killed_under(running: Server, started: list) -> None:
    query = {"seed": "7", "learning_rate": "0.5", "batch_size": "4"}
    visitors = [Visitor(running.ws, "trajectories", dict(query), random.Random(k)) for k in range(4)]
    for visitor in visitors:
        await visitor.__aenter__()
        assert (await visitor.open()).errors == []
        assert (await visitor.change("seed", 11)).errors == []
    running.process.kill()
    for visitor in visitors:
        with pytest.raises((websockets.WebSocketException, OSError)):
            await asyncio.wait_for(visitor.change(), 20)
    while len(started) < 2:
        await asyncio.sleep(0.05)
    await asyncio.to_thread(Server(started[1], running.port, running.log).wait)
    for _ in visitors:  # as the browser does: the address that it has by now, in a new session
        async with Visitor(running.ws, "trajectories", {**query, "seed": "11"}) as again:
            assert (await again.open()).errors == []
            assert (again.controls["seed"].shown, again.controls["batch_size"].shown) == (11, 4)
            assert again.controls["learning_rate"].shown == 0.5


def test_the_log_of_all_this_is_json_and_names_no_visitor(server):
    """Runs last: what the server wrote while it was troubled."""
    import json
    lines = [line for line in server.log.read_text(errors="replace").splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    assert any(event["event"] == "started" for event in events)
    assert not re.search(r"127\.0\.0\.1[:\"' ]\d*.*(accepted|closed)|alert\(1\)", "\n".join(lines))
