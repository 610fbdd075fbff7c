"""What a browser gets from the replicas behind nginx: how many bytes the first visit takes, and a replica that ends."""
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright

from tests.browser.conftest import SETTLED, _launch

MOST_BYTES = 2_600_000
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = _launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def context(browser, cluster) -> Iterator[BrowserContext]:
    """A new visitor, who has nothing in store."""
    context = browser.new_context(base_url=cluster.url, viewport={"width": 1440, "height": 900})
    yield context
    context.close()


def settle(page: Page) -> None:
    page.evaluate("window.zzQuietSince = null")
    page.wait_for_function(SETTLED, timeout=120_000)


def received(page: Page) -> dict[str, int]:
    """Bytes on the wire, as they come: HTTP by address, headers too, and the frames of the websocket."""
    bytes_of, address = {"websocket": 0}, {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.requestWillBeSent", lambda e: address.__setitem__(e["requestId"], e["request"]["url"]))

    def finished(event: dict) -> None:
        url = address[event["requestId"]]
        bytes_of[url] = bytes_of.get(url, 0) + event["encodedDataLength"]

    def frame(event: dict) -> None:
        data = event["response"]["payloadData"]  # base64 where binary
        bytes_of["websocket"] += len(data) * 3 // 4 if event["response"]["opcode"] == 2 else len(data)

    session.on("Network.loadingFinished", finished)
    session.on("Network.webSocketFrameReceived", frame)
    return bytes_of


@pytest.mark.parametrize("path", ["/", "/trajectories"])
def test_the_first_visit_is_small_and_the_second_almost_nothing(context, path):
    page = context.new_page()
    first = received(page)
    page.goto(path)
    settle(page)
    total = sum(first.values())
    assert first["websocket"] > 1000 and len(first) > 5
    assert 100_000 < total < MOST_BYTES, sorted(first.items(), key=lambda pair: -pair[1])[:12]

    again = context.new_page()
    second = received(again)
    again.goto(path)
    settle(again)
    assert sum(second.values()) - second["websocket"] < total / 20, second


def test_a_page_goes_on_when_its_replica_ends(context, cluster):
    page = context.new_page()
    page.goto("/trajectories?batch_size=8")
    settle(page)
    port = next(int(c["value"]) for c in context.cookies() if c["name"] == "zigzag_replica")
    gone = cluster.replicas[port]
    try:
        gone.end("kill")
        number = page.locator(".st-key-seed input[type=number]")
        number.fill("3")  # waits until the page, which is without a server now, has found another
        number.press("Enter")
        page.wait_for_function("location.search.includes('seed=3')", timeout=60_000)
        settle(page)
        assert "batch_size=8" in page.url and number.input_value() == "3"
        assert page.locator(".st-key-batch_size input[type=number]").input_value() == "8"
        now = next(int(c["value"]) for c in context.cookies() if c["name"] == "zigzag_replica")
        assert now != port and now in cluster.replicas
    finally:
        gone.start()
        gone.wait()
