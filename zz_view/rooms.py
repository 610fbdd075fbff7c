"""Room for what arrives late: on a first visit the browser fetches Streamlit's code for boards and numbers after it has
drawn what stands below them, and all of that would jump. The rules that keep the room stand in the very first document.
"""
import gzip
from typing import NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEAD = 8  # pixels above the plot of a canvas, whose title is text of the page
WINDOW = "100vh - 32.5rem"  # what a window has for planes, as in board.js
_TITLE, _GAP, _PLAYER = 1.35, 0.75, 6.75  # board.css, in type sizes
_SIDEBAR, _MARGINS, _PHONE = 300 + 160, 32, 768  # pixels that are not the page's, with and without a sidebar beside it


class Room(NamedTuple):
    """The height of a board's pictures, in type sizes, as tests/test_rooms.py finds it on the pages.

    square: how much higher than wide a picture can be at most, where its axes have one scale; None where they do not.
    """

    height: float
    charts: int
    narrowest: float = 18.75
    square: float | None = None
    player: bool = False


# The first boards of each page: what stands further down moves nothing that is on the screen
ROOMS = {
    "overview": Room(17.875, 4, 13.125, 0, player=True),
    "paths": Room(56, 1),  # all that stands above the slider of Trajectories, which is there first
    "planes": Room(24.5, 2, square=-1, player=True),
    "loss_curves": Room(14.5, 1),
    "signs": Room(9.625, 2),
    "same_sign_board": Room(14.75, 1),
    "one_batch": Room(20.625, 2, square=-1.75),  # the board's own, which comes after the controls under it
    "batches": Room(20.625, 2, square=-1.75),
    "cloud_and_plane": Room(22, 2, square=-1),
    "angle_board": Room(20.75, 1),
    "steps_from_saturation": Room(19.5, 2),
    "race": Room(23.375, 2),
    "net_curves": Room(17.625, 2, 21.25),
    "own_pictures": Room(17.25, 2, 21.25),
    "sweep_board": Room(25.75, 1),
}


class Prepared:
    """Middleware that puts the rules into the server's document, index.html."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.rules = app, style().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope) if scope["type"] == "http" and scope["method"] == "GET" else {}
        if "text/html" not in asked.get("accept", ""):
            return await self.app(scope, receive, send)
        plain = MutableHeaders(asked)
        del plain["accept-encoding"]  # what is compressed already cannot be added to
        start: Message | None = None
        body = b""

        async def prepared(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                if Headers(raw=message["headers"]).get("content-type", "").startswith("text/html"):
                    start = message  # its length is known at the end
                else:
                    await send(message)
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    packed = "gzip" in asked.get("accept-encoding", "")
                    body = body.replace(b"</head>", self.rules + b"</head>", 1)
                    body = gzip.compress(body) if packed else body
                    await send({**start, "headers": _renewed(start["headers"], body, packed)})
                    await send({"type": "http.response.body", "body": body})

        await self.app({**scope, "headers": plain.raw}, receive, prepared)


def _renewed(raw: list, body: bytes, packed: bool) -> list:
    headers = MutableHeaders(raw=list(raw))
    for name in ("etag", "last-modified"):  # of the document without the rules
        del headers[name]
    headers["content-length"] = str(len(body))
    headers.add_vary_header("Accept-Encoding")
    if packed:
        headers["content-encoding"] = "gzip"
    return headers.raw


def style() -> str:
    """The rules; those for boards hold until the first board has been drawn, whose script takes them away."""
    late = "[data-testid=stSkeleton]"
    return ("<style>html [data-testid=stMainBlockContainer] { max-width: none }"  # wide from the start
            # between a phone and a desk the numbers stand close: their words wrap where Streamlit would cut them off
            ".stMain :is(.stMetric, .stButton) :is(.stMarkdownEllipsis, p) { white-space: normal; overflow: visible }"
            "@media (max-width: 640px) { html [data-testid=stMainBlockContainer] h1 { font-size: 2rem } }"
            # what takes seconds to compute has the page's controls under it: they wait where they will be
            ".st-key-coming_picture:not(:has(.stMetric, [data-testid=stAlertContentWarning])) { min-height: 39.5rem }"
            ".st-key-coming_answer:not(:has(p)) { min-height: 3.2rem }</style>"
            f'<style id="zz-rooms">[class*=st-key-]:has(> {late}) {{ min-height: 4.25rem }}'  # a control and its label
            f".st-key-verdict:has(> {late}) {{ min-height: 3.75rem }}"  # buttons and their label
            f".st-key-claims_csv:has(> {late}) {{ min-height: 0 }}"  # one without
            f"[data-testid=stHorizontalBlock]:has(> :not([class*=st-key-]) > {late}) {{ min-height: 6.4rem }}"
            + "".join(map(_rules, ROOMS, ROOMS.values())) + "</style>")


def _rules(key: str, room: Room) -> str:
    found = ""
    for across in range(1, room.charts + 1):
        if room.charts % across:
            continue
        needed = 16 * room.narrowest * across
        beside = needed + _MARGINS >= _PHONE
        height = f"{room.height:g}rem"
        if room.square is not None:  # planes: higher where the window is
            other = (_SIDEBAR if beside else _MARGINS) + 16 * (across - 1)
            height = f"min(max({height}, {WINDOW}), (100vw - {other}px) / {across} + {room.square:g}rem)"
        rows = room.charts // across
        rest = rows * _TITLE + (rows - 1) * _GAP + room.player * _PLAYER
        rule = f".st-key-{key}:not(:has([data-drawn])) {{ min-height: calc({rows} * {height} + {rest:g}rem) }}"
        from_width = needed + (_SIDEBAR if beside else _MARGINS)
        found += rule if across == 1 else f"@media (min-width: {from_width:g}px) {{{rule}}}"
    return found
