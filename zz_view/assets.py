"""What is drawn in the browser: components of `zz_view/canvas/`, whose scripts the browser fetches once and keeps.

Streamlit sends the script of a component along with every message about it, 45 KB a board at every change. The
dashboard serves scripts at an address that holds their digest instead. A page that runs alone has no such server: it
sends them along.
"""
import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_HERE = Path(__file__).parent / "canvas"
_FOLDER = "canvas"  # beside the pages' addresses
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_served = False


@cache
def text(*names: str) -> str:
    return "\n".join((_HERE / name).read_text(encoding="utf-8") for name in names)


def component(name: str, html: str, css: str, *scripts: str, isolate_styles: bool = True) -> Callable:
    """A component of Streamlit's with the style and the scripts of these files; the last has the default export."""
    return st.components.v2.component(f"zigzag_{name}", html=html, css=text(css), isolate_styles=isolate_styles,
                                      js=_fetching(scripts) if _served else text(*scripts))


def sent(data: dict) -> bytes:
    """A component's data as JSON, which its script parses. Of a dictionary Streamlit would make JSON twice, the second
    time sorted, only to see whether it has changed."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def route() -> Route:
    """Serve the scripts from now on: one of the `routes` of the server's streamlit.App."""
    global _served
    _served = True
    base = st.get_option("server.baseUrlPath").strip("/")
    return Route(f"{'/' + base if base else ''}/{_FOLDER}/{{digest}}/{{names}}", _script)


def _script(request: Request) -> Response:
    names = request.path_params["names"].split("+")
    if not {*names} <= {file.name for file in _HERE.glob("*.js")}:
        return Response("There is no such script.", 404, media_type="text/plain")
    # an older digest, of a page that was open while the server was renewed, gets what there is
    kept = _FOREVER if request.path_params["digest"] == _digest() else {"Cache-Control": "no-store"}
    return Response(text(*names), media_type="text/javascript", headers=kept)


@cache
def _digest() -> str:
    """Of all scripts, since they import each other."""
    return hashlib.sha256(text(*sorted(file.name for file in _HERE.glob("*.js"))).encode()).hexdigest()[:12]


def _fetching(scripts: tuple[str, ...]) -> str:
    # Streamlit's own scripts tell where the server is, whatever the page's address
    return f"""const failed = ({{ parentElement: root }}) => root.querySelector(".failed")?.removeAttribute("hidden");
const root = new URL("../../", document.querySelector('script[src*="static/js/"]').src);
const script = await import(new URL("{_FOLDER}/{_digest()}/{'+'.join(scripts)}", root)).catch(console.error);
export default script?.default ?? failed;"""
