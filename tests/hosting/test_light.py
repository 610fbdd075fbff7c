"""Pages' scripts go one after another; one that takes long is overtaken."""
import threading
import time

import pytest

from zz_view.hosting import heavy, light
from zz_view.hosting.turns import Turns

PATIENT = 20.0


@pytest.fixture(autouse=True)
def own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light, "_line", Turns(1))


def started(target) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def until(true) -> None:
    end = time.monotonic() + PATIENT
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_scripts_run_one_at_a_time_in_the_order_of_coming(monkeypatch):
    monkeypatch.setattr(light, "LONG_SECONDS", PATIENT)
    running, most, order, gate = [], [], [], threading.Event()

    def script(number: int) -> None:
        with light.turn():
            running.append(number)
            most.append(len(running))
            order.append(number)
            gate.wait(PATIENT)
            running.remove(number)

    threads = []
    for number in range(6):
        threads.append(started(lambda number=number: script(number)))
        until(lambda number=number: sum(light._line.counts()) == number + 1)
    gate.set()
    for thread in threads:
        thread.join(PATIENT)
    assert order == list(range(6)) and set(most) == {1}
    assert light._line.counts() == (0, 0)


def test_whoever_takes_long_keeps_nobody_waiting():
    gate, done = threading.Event(), []

    def slow() -> None:
        with light.turn():
            gate.wait(PATIENT)

    def quick() -> None:
        with light.turn():
            done.append(True)

    first = started(slow)
    until(lambda: light._line.counts() == (1, 0))
    others = [started(quick) for _ in range(5)]
    for thread in others:
        thread.join(PATIENT)
    assert len(done) == 5 and first.is_alive()
    gate.set()
    first.join(PATIENT)
    assert light._line.counts() == (0, 0)


def test_a_script_that_fails_gives_its_turn_back():
    with pytest.raises(ZeroDivisionError), light.turn():
        raise ZeroDivisionError
    assert light._line.counts() == (0, 0)
    with light.turn():
        assert light._line.counts() == (1, 0)


def test_heavy_work_gives_the_turn_back_before_it_waits_for_its_place(monkeypatch):
    monkeypatch.setattr(light, "LONG_SECONDS", PATIENT)
    with light.turn():
        assert light._line.counts() == (1, 0)
        with heavy.slot("This run"):
            assert light._line.counts() == (0, 0)
    assert light._line.counts() == (0, 0)
