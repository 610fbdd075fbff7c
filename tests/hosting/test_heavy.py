"""The queue as a visitor sees it: its place, its button, and that a place is free again however its holder ends."""
import threading

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from zz_view.hosting import heavy
from zz_view.hosting.turns import Turns


@pytest.fixture
def pool(monkeypatch) -> Turns:
    """A pool of one place and two that may wait, for this test alone."""
    turns = Turns(1, 2)
    monkeypatch.setattr(heavy, "pool", lambda: turns)
    monkeypatch.setattr(heavy, "LOOK_SECONDS", 0.02)
    return turns


def a_page():
    import streamlit as st

    from zz_view.hosting import heavy
    heavy_mode = st.session_state.get("mode", "")
    st.session_state["_here"] = heavy._here()[0]
    st.slider("x", 0, 10, key="x")
    with heavy.slot("This sweep", 20):
        if heavy_mode == "fails":
            raise RuntimeError("it failed")
        if heavy_mode == "stops":
            st.stop()
        with heavy.slot("A part of it"):  # would wait for itself for ever
            st.write("computed")


def words(at: AppTest) -> str:
    return " ".join(each.value for kind in ("info", "warning", "markdown") for each in at.get(kind))


def test_with_a_free_place_nothing_is_seen_of_the_queue(pool):
    at = AppTest.from_function(a_page).run()
    assert words(at) == "computed" and not at.button and pool.counts() == (0, 0)


@pytest.mark.parametrize("mode", ["fails", "stops"])
def test_the_place_is_free_again_however_the_work_ends(pool, mode):
    at = AppTest.from_function(a_page)
    at.session_state["mode"] = mode
    at.run()
    assert "computed" not in words(at) and pool.counts() == (0, 0)
    del at.session_state["mode"]
    assert "computed" in words(at.run())


def a_page_that_holds():
    import streamlit as st

    from zz_view.hosting import heavy
    heavy.hold("Outside of a page")  # nobody would give it back
    before = heavy.pool().counts()
    with heavy.page():
        heavy.hold("This run", 20)
        heavy.hold("Another run", 20)
        with heavy.slot("A part of it"):
            pass
        st.write(f"{before} {heavy.pool().counts()}")
        if st.session_state.get("mode") == "stops":
            st.stop()


@pytest.mark.parametrize("mode", ["ends", "stops"])
def test_what_a_page_holds_is_one_place_up_to_its_end(pool, mode):
    at = AppTest.from_function(a_page_that_holds)
    at.session_state["mode"] = mode
    assert words(at.run()) == "(0, 0) (1, 0)" and pool.counts() == (0, 0)


def test_who_waits_sees_the_position_and_goes_on_when_the_place_is_free(pool, monkeypatch):
    others = [pool.ask("another", 12), pool.ask("a third", 30)]
    seen = []

    def info(self, body, **_):
        seen.append(body)
        if len(seen) > 1:
            pool.give_back(others.pop(0)) if others else None

    monkeypatch.setattr(streamlit.delta_generator.DeltaGenerator, "info", info)
    at = AppTest.from_function(a_page).run(timeout=10)
    assert "computed" in words(at) and pool.counts() == (0, 0)
    assert "number 2 in the queue" in seen[0] and "1 running and 1 waiting" in seen[0]
    assert "about 42 s" in seen[0] or "about 41 s" in seen[0]
    assert "number 1 in the queue" in seen[-1] and "waiting" not in seen[-1]


def test_a_visitor_who_leaves_the_page_gives_up_the_place(pool, monkeypatch):
    """Streamlit ends the script of who left, or changed something, where it next writes to the page."""
    from streamlit.runtime.scriptrunner import StopException
    holder, looks = pool.ask("another"), []

    def info(self, body, **_):
        looks.append(pool.counts())
        if len(looks) == 3:
            raise StopException

    monkeypatch.setattr(streamlit.delta_generator.DeltaGenerator, "info", info)
    at = AppTest.from_function(a_page).run(timeout=10)
    assert looks == [(1, 1)] * 3 and pool.counts() == (1, 0) and "computed" not in words(at)
    pool.give_back(holder)


def test_who_has_left_the_queue_is_told_so_and_comes_back_by_a_button_or_another_address(pool):
    at = AppTest.from_function(a_page)
    at.query_params["steps"] = "9"
    at.run()
    assert "computed" in words(at)
    at.session_state[heavy.LEFT] = (at.session_state["_here"], [("steps", "9")])
    at.run()
    assert "has left the queue" in words(at) and "computed" not in words(at)
    at.query_params["steps"] = "10"
    assert "computed" in words(at.run())  # who asks for something else is not kept out
    at.query_params["steps"] = "9"
    at.run()
    assert "computed" not in words(at)
    assert "computed" in words(at.button[0].click().run())


def test_a_full_queue_is_said_in_a_sentence_with_a_way_on(pool):
    tickets = [pool.ask(name) for name in "abc"]
    at = AppTest.from_function(a_page).run()
    assert "busy" in words(at) and "computed" not in words(at) and [each.label for each in at.button] == ["Try again"]
    for ticket in tickets:
        pool.give_back(ticket)
    assert "computed" in words(at.button[0].click().run())


def test_one_session_has_one_place_and_its_second_piece_of_work_waits():
    turns, order = Turns(3), []
    first = turns.ask("a session")
    second = turns.ask("a session")
    assert first.granted.is_set() and not second.granted.is_set() and turns.ask("another").granted.is_set()
    threading.Timer(0.05, lambda: (order.append("first ends"), turns.give_back(first))).start()
    assert second.granted.wait(10)
    order.append("second begins")
    assert order == ["first ends", "second begins"]
