"""Places for work: never more than there are, in the order of asking, one for each owner."""
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from zz_view.hosting.turns import Crowded, Turns


class Any(RuleBasedStateMachine):
    """Any sequence of asking and giving back, beside a slow model of it: a list in the order of asking."""

    @initialize(places=st.integers(1, 3), most=st.integers(0, 4))
    def start(self, places, most):
        self.turns, self.places, self.most, self.model = Turns(places, most), places, most, []  # [ticket, runs]

    @rule(owner=st.integers(0, 3))
    def ask(self, owner):
        running = [ticket.owner for ticket, runs in self.model if runs]
        waiting = len(self.model) - len(running)
        at_once = len(running) < self.places and owner not in running
        if not at_once and waiting >= self.most:
            with pytest.raises(Crowded):
                self.turns.ask(owner)
        else:
            self.model.append([self.turns.ask(owner), at_once])

    @rule(data=st.data())
    def give_back(self, data):
        if self.model:
            ticket, _ = self.model.pop(data.draw(st.integers(0, len(self.model) - 1)))
            self.turns.give_back(ticket)
            self.turns.give_back(ticket)  # a second time does nothing
            for entry in self.model:
                running = [other.owner for other, runs in self.model if runs]
                entry[1] = entry[1] or len(running) < self.places and entry[0].owner not in running

    @invariant()
    def as_in_the_model(self):
        if not hasattr(self, "turns"):
            return
        assert [ticket.granted.is_set() for ticket, _ in self.model] == [runs for _, runs in self.model]
        running = [ticket for ticket, runs in self.model if runs]
        assert self.turns.counts() == (len(running), len(self.model) - len(running))
        assert len(running) <= self.places and len({ticket.owner for ticket in running}) == len(running)
        waiting = [ticket for ticket, runs in self.model if not runs]
        assert [self.turns.ahead(ticket).waiting for ticket in waiting] == list(range(len(waiting)))


TestAnySequence = Any.TestCase


def test_what_is_before_is_told_in_seconds():
    turns = Turns(2)
    turns.ask("a", 10.0), turns.ask("b", 20.0), turns.ask("c", 30.0)
    ahead = turns.ahead(turns.ask("d", 40.0))
    assert (ahead.running, ahead.waiting) == (2, 1)
    assert ahead.seconds == pytest.approx((10 + 20 + 30) / 2, abs=1.0)  # the clock of the running ones goes on
