"""What a script sends reaches the browser together, late by a bounded time, in order, and never in vain."""
import asyncio

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from zz_view import hosting
from zz_view.hosting import together
from zz_view.hosting.together import Together, starts_or_ends

SOON = 0.02  # seconds


def element(words: str) -> bytes:
    message = ForwardMsg()
    message.delta.new_element.markdown.body = words
    return message.SerializeToString()


FINISHED = ForwardMsg(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY).SerializeToString()


def status(running: bool) -> bytes:
    message = ForwardMsg()
    message.session_status_changed.script_is_running = running
    return message.SerializeToString()


def told(*contents: bytes) -> list[dict]:
    return [{"type": "websocket.send", "bytes": content} for content in contents]


def play(script, send=None) -> list[dict]:
    """What the browser got from an app that is `script(send, got)`."""
    got: list[dict] = []

    async def into(message: dict) -> None:
        got.append(message)

    async def app(scope, receive, send) -> None:
        await script(send, got)

    async def run() -> None:
        await Together(app)({"type": "websocket"}, None, send or into)
        await asyncio.sleep(0)

    asyncio.run(run())
    return got


@pytest.mark.parametrize("end", [FINISHED, status(False)], ids=["finished", "not running"])
def test_a_short_scripts_messages_come_with_its_end(end):
    first = told(status(True), element("a"), element("b" * 1000))

    async def script(send, got):
        for message in first:
            await send(message)
            assert got == first[:1]  # that it runs is told at once
        for message in told(end):
            await send(message)

    assert play(script) == first + told(end)


def test_a_long_scripts_messages_are_not_held_until_its_end(monkeypatch):
    monkeypatch.setattr(together, "HELD_SECONDS", SOON)

    async def script(send, got):
        for count in (1, 2):  # and the next ones again
            for message in told(element("a")):
                await send(message)
            assert len(got) == count - 1
            async with asyncio.timeout(10):
                while len(got) < count:
                    await asyncio.sleep(SOON)

    assert play(script) == told(element("a")) * 2


def test_what_is_no_message_to_the_page_goes_at_once_and_after_what_is_held():
    accept, close = {"type": "websocket.accept"}, {"type": "websocket.close", "code": 1000}

    async def script(send, got):
        await send(accept)
        assert got == [accept]
        await send(told(element("a"))[0])
        await send(close)

    assert play(script) == [accept, *told(element("a")), close]


def test_much_is_not_held(monkeypatch):
    monkeypatch.setattr(together, "HELD_BYTES", 1000)

    async def script(send, got):
        for message in told(element("a" * 600), element("b" * 600)):
            await send(message)
        assert len(got) == 2

    play(script)


def test_a_browser_that_does_not_read_is_felt_by_who_sends(monkeypatch):
    monkeypatch.setattr(together, "HELD_SECONDS", SOON)
    reads = asyncio.Event()

    async def stuck(message: dict) -> None:
        await reads.wait()

    async def script(send, got):
        await send(told(element("a"))[0])
        await asyncio.sleep(5 * SOON)  # it is being sent now
        late = asyncio.create_task(send(told(element("b"))[0]))
        await asyncio.sleep(2 * SOON)
        assert not late.done()
        reads.set()
        await asyncio.wait_for(late, 10)

    play(script, stuck)


def test_a_browser_that_has_gone_is_felt_by_who_sends_next(monkeypatch, caplog):
    monkeypatch.setattr(together, "HELD_SECONDS", SOON)

    async def gone(message: dict) -> None:
        raise OSError("gone")

    async def script(send, got):
        await send(told(element("a"))[0])
        await asyncio.sleep(5 * SOON)
        with pytest.raises(OSError, match="gone"):
            await send(told(FINISHED)[0])

    play(script, gone)
    assert caplog.text == ""


def test_only_the_start_and_the_end_of_a_script_are_not_held():
    assert all(map(starts_or_ends, (FINISHED, status(False), status(True))))
    assert not starts_or_ends(element("a")) and not starts_or_ends(element("a" * 1000))


def test_requests_for_files_are_not_touched():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope, receive, send))

    asked = {"type": "http"}, object(), object()
    asyncio.run(Together(app)(*asked))
    assert seen == [asked]


def test_the_dashboard_is_served_with_it():
    assert Together in [middleware.cls for middleware in hosting.options()["middleware"]]
