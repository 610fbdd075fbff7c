"""Light work one after another, in the order of coming.

Python runs one thread at a time: scripts of fifty visitors that run at once would only take turns of five milliseconds,
and all of them end late. One by one the first ends soon, and the last no later.
"""
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from zz_view.hosting import meters
from zz_view.hosting.turns import Turns

LONG_SECONDS = 0.25  # who takes longer is no longer waited for
LOOK_SECONDS = 0.05  # between two looks at who is running
_line = Turns(1)
_mine = threading.local()  # the ticket of a script's thread


@contextmanager
def turn() -> Iterator[None]:
    """Around a page's script."""
    ticket = _mine.ticket = _line.ask(threading.get_ident())
    try:
        with meters.timed("zigzag_turn_wait_seconds"):
            while not ticket.granted.wait(LOOK_SECONDS):
                _line.overtake(LONG_SECONDS)
        yield
    finally:
        _line.give_back(ticket)


def leave() -> None:
    """Give the turn back before the script's end: what follows is no light work."""
    if (ticket := getattr(_mine, "ticket", None)) is not None:
        _line.give_back(ticket)
