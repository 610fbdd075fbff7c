"""Light work one after another, in the order of coming.

Python runs one thread at a time: scripts of fifty visitors that run at once would only take turns of five milliseconds,
and all of them end late. One by one the first ends soon, and the last no later.
"""
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from zz_view.hosting import meters
from zz_view.hosting.turns import Turns

LONG_SECONDS = 0.25  # who takes longer is no longer waited for: what is heavy, waits itself, or sends much
LOOK_SECONDS = 0.05  # between two looks at who is running
_line = Turns(1)


@contextmanager
def turn() -> Iterator[None]:
    """Around a page's script."""
    ticket = _line.ask(threading.get_ident())
    try:
        with meters.timed("zigzag_turn_wait_seconds"):
            while not ticket.granted.wait(LOOK_SECONDS):
                _line.overtake(LONG_SECONDS)
        yield
    finally:
        _line.give_back(ticket)
