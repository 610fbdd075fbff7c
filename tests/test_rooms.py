"""What the browser gets before the first picture: room for what comes late, and scripts that it keeps."""
import asyncio
import gzip
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from tests.charts import open_page
from zz_view import assets, board
from zz_view.rooms import ROOMS, Prepared, style

ROOT = Path(__file__).parents[1]
PLACE = re.compile(r"block-size: (?:min\(max\()?([\d.]+)rem(?:, 100vh - [\d.]+rem\), 100cqi \+ (-?[\d.]+)rem)?")
PAGES = ["overview", "trajectories", "gradient_signs", "batch_averaging", "geometry", "saturation", "sweep"]


def fetch(app, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of a GET, without a server."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": raw, "http_version": "1.1", "scheme": "http", "server": ("testserver", 80), "root_path": ""}
    asyncio.run(app(scope, receive, send))
    got = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], got, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("encoding", ["identity", "gzip, br"])
def test_the_rules_stand_in_the_document_whose_length_and_coding_are_told(encoding):
    document = "<html><head><title>x</title></head><body></body></html>"
    app = Prepared(Starlette(routes=[
        Route("/", lambda request: HTMLResponse(document, headers={"etag": "1"})),
        Route("/text", lambda request: PlainTextResponse("</head>"))]))
    status, headers, body = fetch(app, "/", accept="text/html,*/*", accept_encoding=encoding)
    assert status == 200 and int(headers["content-length"]) == len(body) and "etag" not in headers
    assert ("content-encoding" in headers) == ("gzip" in encoding)
    text = (gzip.decompress(body) if "gzip" in encoding else body).decode()
    assert text == document.replace("</head>", style() + "</head>")
    assert fetch(app, "/text", accept="text/html")[2] == b"</head>"  # another kind of answer stays as it is
    assert fetch(app, "/")[2].decode() == document  # and so does one to a program


@pytest.mark.parametrize("page", PAGES)
def test_the_room_kept_for_a_board_is_what_it_takes(page, monkeypatch):
    monkeypatch.setattr(board, "_components", {})  # made with the first figure, perhaps another test's
    boards = {found.component_name.removeprefix("zigzag_board_").rpartition("_")[0]: found.html_content
              for found in (each.proto for each in open_page(ROOT / f"pages/{page}.py").main.get("bidi_component"))
              if found.component_name.startswith("zigzag_board_")}
    known = {key: html for key, html in boards.items() if key in ROOMS}
    assert next(iter(boards)) in known  # the first of a page, at least
    for key, html in known.items():
        room, heights = ROOMS[key], PLACE.findall(html)
        assert len(heights) == room.charts, key
        for height, square in heights:
            assert float(height) == pytest.approx(room.height, abs=1.5), key
            assert (float(square) if square else None) == (None if room.square is None else pytest.approx(room.square))
        assert ("Step through the run\" hidden" not in html) == room.player


def test_scripts_are_served_by_their_digest_and_nothing_else_is(monkeypatch):
    monkeypatch.setattr(assets, "_served", False)  # as it is after the test, too
    app = Starlette(routes=[assets.route()])
    names = ("figure.js", "board.js")
    (address,) = re.findall(r'new URL\("(canvas/[^"]+)"', assets._fetching(names))
    status, headers, body = fetch(app, f"/{address}")
    assert status == 200 and body.decode() == assets.text(*names)
    assert headers["content-type"].startswith("text/javascript") and "immutable" in headers["cache-control"]
    outdated = fetch(app, "/canvas/000000000000/figure.js+board.js")
    assert outdated[0] == 200 and outdated[1]["cache-control"] == "no-store"
    for path in ("/canvas/x/board.css", "/canvas/x/..%2Fboard.py", "/canvas/x/", "/canvas/x/board.js+../board.py"):
        assert fetch(app, path)[0] == 404, path
