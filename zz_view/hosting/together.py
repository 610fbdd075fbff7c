"""What a short script sends reaches the browser at once: it then draws once, instead of every ten milliseconds."""
import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

HELD_SECONDS = 0.06  # longer than most scripts of these pages, shorter than what a visitor sees as a delay
HELD_BYTES = 2**20
SHORT = 256  # bytes; what tells of a script's start and end is shorter


class Together:
    """ASGI middleware. What a script sends is held until it ends, but not for longer than HELD_SECONDS.

    The script itself goes on meanwhile, and can be interrupted at each of its elements as ever.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        held = _Held(send)
        try:
            await self.app(scope, receive, held.send)
        finally:
            held.drop()


class _Held:
    """The messages to one browser that have not been sent yet."""

    def __init__(self, send: Send):
        self._send, self._held, self._size = send, [], 0
        self._sending = asyncio.Lock()  # who adds waits for it, so that a browser that does not read is felt as ever
        self._due: asyncio.Task | None = None

    async def send(self, message: Message) -> None:
        async with self._sending:
            self._held.append(message)
            self._size += len(content := message.get("bytes") or b"")
            if not content or self._size > HELD_BYTES or starts_or_ends(content):
                await self._flush()
            elif self._due is None or self._due.done():
                self._due = asyncio.create_task(self._later())

    async def _later(self) -> None:
        await asyncio.sleep(HELD_SECONDS)
        with suppress(OSError, RuntimeError):  # the browser has gone: whoever sends next hears of it
            async with self._sending:
                await self._flush()

    async def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        for message in held:
            await self._send(message)

    def drop(self) -> None:
        if self._due is not None:
            self._due.cancel()


def starts_or_ends(content: bytes) -> bool:
    """Whether a script starts or ends with this message. The browser deals with the start while the script runs."""
    return len(content) <= SHORT and ForwardMsg.FromString(content).WhichOneof("type") in (
        "session_status_changed", "script_finished")
