"""What every answer carries, who may frame the dashboard, and whose pages may open a session."""
import asyncio
import base64
import hashlib
import re

import pytest
from streamlit import config, net_util

from zz_view.hosting.headers import SecurityHeaders, inline_hashes, policy


def ask(kind: str = "http", asked: dict[str, str] | None = None, monkey=None) -> tuple[list[dict], list[bytes]]:
    """What the middleware sends, and the names of the headers that the app behind it gets; nothing where it is not
    asked at all."""
    sent, got = [], []

    async def app(scope, receive, send):
        got.extend(name for name, _ in scope["headers"])
        if kind == "http":
            await send({"type": "http.response.start", "status": 200,
                        "headers": [(b"referrer-policy", b"same-origin")]})
            await send({"type": "http.response.body", "body": b"ok"})
        else:
            await send({"type": "websocket.accept"})

    async def receive():
        return {"type": f"{kind}.connect"}

    async def send(message):
        sent.append(message)

    scope = {"type": kind, "path": "/", "headers": [(name.encode(), value.encode())
                                                   for name, value in (asked or {"host": "zig.example"}).items()]}
    asyncio.run(SecurityHeaders(app)(scope, receive, send))
    return sent, got


def headers_of(sent: list[dict]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def test_every_answer_carries_the_headers():
    found = headers_of(ask()[0])
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "same-origin"  # what the app says itself stays
    assert "object-src 'none'" in found["content-security-policy"]
    assert found["permissions-policy"].startswith("camera=()")


def test_the_policy_allows_no_other_site_and_no_script_by_text():
    rules = dict(rule.split(" ", 1) for rule in policy("'self'").split("; "))
    assert rules["frame-ancestors"] == "'self'" and rules["default-src"] == "'self'"
    assert "unsafe-eval" not in rules["script-src"].replace("wasm-unsafe-eval", "")
    assert "unsafe-inline" not in rules["script-src"]
    assert not re.search(r"https?:|//|\*", policy("'self'"))
    assert rules["script-src"].count("'sha256-") >= 1  # Streamlit's own, within its page


def test_a_script_within_the_page_is_named_by_its_hash():
    body = "\n  let x = '<b>'\n"
    page = f'<head><script src="a.js"></script><script type="module" crossorigin src="b.js"></script>' \
           f"<script>{body}</script></head>"
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    assert inline_hashes(page) == [f"'sha256-{digest}'"]


@pytest.mark.parametrize("value", ["'none'", "'self'", "*", "https://moodle.example.edu https://*.example.org:8443"])
def test_the_host_says_who_may_frame_the_dashboard(monkeypatch, value):
    monkeypatch.setenv("ZIGZAG_FRAME_ANCESTORS", value)
    assert headers_of(ask()[0])["content-security-policy"].endswith(f"frame-ancestors {value}")


@pytest.mark.parametrize("value", ["self", "a.example; script-src *", "https://a.example,https://b.example", "\nX: y"])
def test_a_setting_that_makes_no_sense_is_refused_at_the_start(monkeypatch, value):
    monkeypatch.setenv("ZIGZAG_FRAME_ANCESTORS", value)
    with pytest.raises(ValueError, match="ZIGZAG_FRAME_ANCESTORS=.*must be"):
        SecurityHeaders(None)


@pytest.mark.parametrize("host, origin, welcome", [
    ("zig.example", None, True),  # not a browser
    ("zig.example", "https://zig.example", True),
    ("zig.example:8501", "http://zig.example:8501", True),
    ("zig.example", "https://lab.example", True),  # allowed by the host
    ("zig.example", "https://evil.example", False),
    ("zig.example", "https://zig.example.evil.example", False),
    ("zig.example", "null", False),
    ("zig.example", "http://[::1", False),
])
def test_only_our_own_pages_open_a_session(monkeypatch, host, origin, welcome):
    values, real = {"server.corsAllowedOrigins": ["https://lab.example"], "server.enableCORS": True}, config.get_option
    monkeypatch.setattr(config, "get_option", lambda name: values[name] if name in values else real(name))
    monkeypatch.setattr(net_util, "get_external_ip", lambda: pytest.fail("asked a third party"))
    asked = {"host": host} | ({} if origin is None else {"origin": origin})
    sent, _ = ask("websocket", asked)
    assert sent == ([{"type": "websocket.accept"}] if welcome else [{"type": "websocket.close", "code": 1008}])
    sent, got = ask("http", asked)
    assert sent[0]["status"] == 200 and (b"origin" in got) == (welcome and origin is not None)
