"""Uploads are held in memory until their session ends: so much for a session, and so much for all of them.

Streamlit bounds each file (server.maxUploadSize), but neither how many a session sends nor how many come at once.
"""
import re
from collections import Counter

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import config, runtime

from zz_view.hosting import meters
from zz_view.hosting.settings import whole

UPLOAD = re.compile(r".*/_stcore/upload_file/([^/]+)/[^/]+")
FILES_EACH = 3  # files of the largest size that a session may hold: one shown, and one or two that replace it
SLACK = 2**20  # that a body may be longer than the file in it
CROWDED = 507  # Insufficient Storage


class UploadLimits:
    """ASGI middleware that refuses an upload, and keeps none of it, where there is no room. The whole is
    ZIGZAG_UPLOADS_MIB."""

    def __init__(self, app: ASGIApp):
        self.app, self.most = app, whole("ZIGZAG_UPLOADS_MIB", 256, 50, 1_000_000) * 2**20
        self.coming: Counter[str] = Counter()  # bytes under way, by session
        meters.gauge("zigzag_upload_bytes", lambda: sum(held().values()) + self.coming.total())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = UPLOAD.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        largest = config.get_option("server.maxUploadSize") * 2**20
        session, size, stored = found[1], announced(scope, largest), held()
        alone = stored[session] + self.coming[session] + size > FILES_EACH * largest
        if alone or stored.total() + self.coming.total() + size > self.most:
            meters.count("zigzag_uploads_refused")
            words = "This session holds enough files: remove one first." if alone else \
                "The server holds as many files as it can: try again in a few minutes."
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                pass  # a browser that is cut off while it sends would not hear the answer
            await PlainTextResponse(words, 413 if alone else CROWDED)(scope, receive, send)
            return
        self.coming[session] += size
        try:
            await self.app(scope, receive, send)
        finally:
            self.coming[session] -= size
            self.coming += Counter()  # drops what is zero


def announced(scope: Scope, largest: int) -> int:
    """Bytes to make room for: what an upload says it has. One that does not say may have as many as Streamlit lets
    through; of one that says too many it reads none."""
    told = Headers(scope=scope).get("content-length", "")
    if not (told.isascii() and told.isdecimal()):
        return largest + SLACK
    return int(told) if int(told) <= largest else 0


def held() -> Counter[str]:
    """Bytes of the files that are held, by session."""
    if not runtime.exists():
        return Counter()
    stored = getattr(runtime.get_instance().uploaded_file_mgr, "file_storage", {})
    return Counter({session: sum(len(file.data) for file in list(files.values()))
                    for session, files in list(stored.items())})
