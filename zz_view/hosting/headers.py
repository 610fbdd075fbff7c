"""The last word on what goes over the wire: security headers, and whose pages may talk to the server.

Streamlit's frontend needs inline styles (its own, and those of its components), blob: for components' scripts, workers
and downloads, data: for icons and fonts, WebAssembly, and the one script within its page, which is allowed by its hash.
"""
import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config, file_util

from zz_view.hosting.settings import frame_ancestors

POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'wasm-unsafe-eval' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "media-src": "'self' data: blob:",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "frame-src": "'self' blob: data:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address is the experiment, and nobody else's business
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def policy(ancestors: str) -> str:
    """The Content-Security-Policy; ancestors: who may show the dashboard in a frame."""
    page = Path(file_util.get_static_dir(), "index.html").read_text(encoding="utf-8")
    scripts = " ".join([POLICY["script-src"], *inline_hashes(page)])
    return "; ".join(f"{name} {value}" for name, value in
                     (POLICY | {"script-src": scripts, "frame-ancestors": ancestors}).items())


def inline_hashes(page: str) -> list[str]:
    """The hash of each script within an HTML page, as a policy names it."""
    scripts = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page, flags=re.DOTALL)
    return [f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts]


class SecurityHeaders:
    """ASGI middleware. Every answer gets the headers; a websocket that another site's page opens is refused."""

    def __init__(self, app: ASGIApp):
        self.app, self.headers = app, {"Content-Security-Policy": policy(frame_ancestors()), **FIXED}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and not _same_site(scope):
            await receive()  # the request to connect
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http" and not _same_site(scope):
            # as if no page had asked: no answer then tells a browser that another site's page may read it
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"origin"]}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _same_site(scope: Scope) -> bool:
    """Whether the page that asks is one of ours. Streamlit's own check would look up this server's public address with
    a third party before it says no."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if origin is None or not config.get_option("server.enableCORS"):
        return True
    try:
        asking = urlsplit(origin)
        return asking.netloc == headers.get("host") or asking.hostname in {*LOOPBACK, *_named_hosts()}
    except ValueError:  # not even an address
        return False


def _named_hosts() -> Iterable[str | None]:
    for origin in config.get_option("server.corsAllowedOrigins"):
        yield urlsplit(origin).hostname or origin
    if config.is_manually_set("browser.serverAddress"):
        yield config.get_option("browser.serverAddress")
