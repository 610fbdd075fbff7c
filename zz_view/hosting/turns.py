"""Places for work, given out in the order of asking."""
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple


class Crowded(Exception):
    """As many wait as may wait."""


@dataclass(eq=False)
class Ticket:
    """One piece of work; `granted` is set when it has its place. seconds: what it is predicted to take."""

    owner: Hashable
    seconds: float = 0.0
    granted: threading.Event = field(default_factory=threading.Event)
    since: float = 0.0  # when it was granted, by the monotonic clock


class Ahead(NamedTuple):
    """What is before a waiting ticket: how many are running and waiting, and about how long that takes."""

    running: int
    waiting: int
    seconds: float


class Turns:
    """`places` pieces of work at a time, and at most `most_waiting` that wait; one at a time for each owner."""

    def __init__(self, places: int, most_waiting: int = 10**9):
        self.places, self.most_waiting = places, most_waiting
        self._running: list[Ticket] = []
        self._waiting: list[Ticket] = []
        self._lock = threading.Lock()

    def ask(self, owner: Hashable, seconds: float = 0.0) -> Ticket:
        """A ticket, granted at once where there is room; raises Crowded. It must be given back, granted or not."""
        ticket = Ticket(owner, seconds)
        with self._lock:
            self._waiting.append(ticket)
            self._grant()
            if len(self._waiting) > self.most_waiting:
                self._waiting.remove(ticket)
                raise Crowded
        return ticket

    def give_back(self, ticket: Ticket) -> None:
        """Its place, or its place in the queue; a second time does nothing."""
        with self._lock:
            for tickets in (self._running, self._waiting):
                if ticket in tickets:
                    tickets.remove(ticket)
            self._grant()

    def overtake(self, seconds: float) -> None:
        """Take the places of those that have run for longer back, and let them run on without."""
        with self._lock:
            late = time.monotonic() - seconds
            self._running = [each for each in self._running if each.since >= late]
            self._grant()

    def ahead(self, ticket: Ticket) -> Ahead:
        with self._lock:
            now, running = time.monotonic(), list(self._running)
            before = self._waiting[:self._waiting.index(ticket)] if ticket in self._waiting else []
        seconds = sum(max(0.0, each.seconds - (now - each.since)) for each in running)
        return Ahead(len(running), len(before), (seconds + sum(each.seconds for each in before)) / self.places)

    def counts(self) -> tuple[int, int]:
        """How many are running, and how many wait."""
        with self._lock:
            return len(self._running), len(self._waiting)

    def _grant(self) -> None:
        owners = {each.owner for each in self._running}
        for ticket in list(self._waiting):
            if len(self._running) >= self.places:
                return
            if ticket.owner not in owners:
                self._waiting.remove(ticket)
                self._running.append(ticket)
                owners.add(ticket.owner)
                ticket.since = time.monotonic()
                ticket.granted.set()
