"""Heavy work in turn: a bounded pool with a queue that the waiting visitor sees, and can leave.

    with heavy.slot("This sweep", seconds=20):
        ...  # runs when there is a place; ends with the script, however that ends

    with heavy.page():
        heavy.hold("This run", seconds=20)  # waits in the same way; the place is given back at the end of the page
"""
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from zz_view.hosting import light, meters
from zz_view.hosting.settings import cores, whole
from zz_view.hosting.turns import Crowded, Ticket, Turns

NOTICEABLE_SECONDS = 1.0  # from here on a visitor wonders whether anything happens; less runs with the page itself
LOOK_SECONDS = 0.3  # between two looks at the queue; how soon a place is free that a visitor leaves
LEFT = "_heavy_left"
_mine = threading.local()  # whether a script's thread is in a slot, and what its page holds


@st.cache_resource(show_spinner=False)
def pool() -> Turns:
    """The server's places for heavy work; ZIGZAG_HEAVY_PLACES and ZIGZAG_HEAVY_QUEUE set them."""
    made = Turns(*_places())
    meters.gauge("zigzag_heavy_running", lambda: made.counts()[0])
    meters.gauge("zigzag_heavy_waiting", lambda: made.counts()[1])
    return made


def _places() -> tuple[int, int]:
    return whole("ZIGZAG_HEAVY_PLACES", max(1, cores() // 2)), whole("ZIGZAG_HEAVY_QUEUE", 100)


def check_settings() -> None:
    """ValueError where the host has set places that there cannot be: better at the start than at a visit."""
    _places()


@contextmanager
def slot(what: str, seconds: float = 0.0) -> Iterator[None]:
    """A place in the pool, one for each session. While it waits the page shows where in the queue it is, and a button
    that leaves it. what: the work as a sentence's subject; seconds: what it is predicted to take. Within another slot
    it is that one."""
    if getattr(_mine, "inside", False):
        yield
        return
    here = _here()
    if here is not None and st.session_state.get(LEFT) == here:
        _say_left(what)
    light.leave()
    try:
        ticket = pool().ask(_owner(), seconds)
    except Crowded:
        meters.count("zigzag_heavy_refused")
        _say_crowded()
    try:
        with meters.timed("zigzag_heavy_wait_seconds"):
            _wait(ticket, what, here)
        _mine.inside = True
        with meters.timed("zigzag_heavy_run_seconds", what=what):
            yield
    finally:
        _mine.inside = False
        pool().give_back(ticket)


def _owner() -> object:
    context = get_script_run_ctx(suppress_warning=True)
    return object() if context is None else context.session_id


def _here() -> tuple | None:
    """The page and its address: who changes them wants something new, and may queue again."""
    context = get_script_run_ctx(suppress_warning=True)
    return None if context is None else (context.page_script_hash, sorted(st.query_params.items()))


def _wait(ticket: Ticket, what: str, here: tuple | None) -> None:
    if ticket.granted.wait(LOOK_SECONDS):
        return
    words, button = st.empty(), st.empty()
    button.button("Leave the queue", key="_heavy_leave", icon=":material/close:", on_click=_leave, args=(here,))
    waited = 0
    while True:  # each look writes: that is where Streamlit ends the script of a visitor who has gone on, or left
        words.info(_position(pool().ahead(ticket), what, waited * LOOK_SECONDS), icon=":material/hourglass_empty:")
        if ticket.granted.wait(LOOK_SECONDS):
            break
        waited += 1
    words.empty()
    button.empty()


def _position(ahead: tuple[int, int, float], what: str, waited: float) -> str:
    running, waiting, seconds = ahead
    rest = f" That is about {seconds:.0f} s." if seconds >= 1 else ""
    before = f"{running} running and {waiting} waiting" if waiting else f"{running} running"
    return (f"**{what} waits for a free place: number {waiting + 1} in the queue.** Before it on this server: {before}."
            f"{rest} Waited {waited:.0f} s. Changing a control or leaving the page gives the place up.")


def _leave(here: tuple | None) -> None:
    st.session_state[LEFT] = here


def _return() -> None:
    st.session_state.pop(LEFT, None)


def _say_left(what: str) -> None:
    st.info(f"{what} has left the queue before it began. Your settings are kept.", icon=":material/pause_circle:")
    st.button("Queue again", key="_heavy_return", icon=":material/play_arrow:", on_click=_return)
    st.stop()


def _say_crowded() -> None:
    st.warning("This server is busy: too many heavy experiments wait for it. Nothing is lost; try again in a minute.",
               icon=":material/hourglass_disabled:")
    st.button("Try again", key="_heavy_again", icon=":material/refresh:")
    st.stop()


@contextmanager
def page() -> Iterator[None]:
    """Around all that a page does: what it holds is given back here."""
    with ExitStack() as _mine.held:
        try:
            yield
        finally:
            _mine.held = None


def hold(what: str, seconds: float = 0.0) -> None:
    """A slot for the rest of the page, whose parts all look at something large. A fragment that runs alone is no page,
    and holds nothing."""
    if (held := getattr(_mine, "held", None)) is not None:
        held.enter_context(slot(what, seconds))


def slot_if(heavy: bool, what: str, seconds: float = 0.0) -> AbstractContextManager[None]:
    """A slot, or nothing where the work is light or done."""
    return slot(what, seconds) if heavy else nullcontext()
