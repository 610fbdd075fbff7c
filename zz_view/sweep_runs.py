"""Sweeps for the page: finished tasks shared by all visitors, run under a bar that can be stopped, within a budget."""
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from threading import Lock

import numpy as np
import streamlit as st

import zz_core
from zz_core import Experiment, simulate
from zz_core.prediction import MOST_WORK, expected_spectrum, predict, why_unpredicted
from zz_core.stability import condition
from zz_core.sweep import Grid, Result, Task, largest_fitting, predicted, run
from zz_view import runs
from zz_view.hosting import heavy
from zz_view.sweep_axes import shown

BUDGET_SECONDS = 60.0  # of one core, for one visitor's sweep
CLUSTER = os.environ.get("ZIGZAG_DASK_ADDRESS", "")  # of the server's operator; visitors cannot name one
KEPT_TASKS, KEPT_THEORIES = 20_000, 4096
PATIENCE = 0.5  # seconds before the bar is worth showing
THEORY_SECONDS = 2.0
_logger = logging.getLogger(__name__)


class Kept:
    """Finished tasks in this server's memory, the oldest dropped: what a file is to the command."""

    def __init__(self, most: int = KEPT_TASKS):
        self.most, self.found, self.lock = most, OrderedDict(), Lock()

    def get(self, task: Task) -> Result | None:
        with self.lock:
            found = self.found.get(task.key(zz_core.__version__))
        return None if found is None else Result(task, *found)

    def put(self, result: Result) -> None:
        if result.error:
            return
        with self.lock:
            self.found[result.task.key(zz_core.__version__)] = result.values, result.facts
            while len(self.found) > self.most:
                self.found.popitem(last=False)


@st.cache_resource(show_spinner=False)
def kept() -> Kept:
    return Kept()


def where() -> str:
    """Where this visitor's last sweep ran, in words."""
    here = not CLUSTER or st.session_state.get("_sweep_here")
    return "on the machine that serves this page" if here else "on the cluster that this server is set up with"


def unfinished(grid: Grid) -> int:
    store = kept()
    return sum(store.get(task) is None for task in grid.tasks())


def refuse_cost(grid: Grid) -> None:
    """With the largest grid that fits, where it is too much; what is kept costs nothing."""
    seconds = predicted(grid).seconds * unfinished(grid) / max(len(grid), 1)
    if seconds <= BUDGET_SECONDS:
        return
    largest = largest_fitting(grid, BUDGET_SECONDS)
    words = (f"This sweep of {len(grid)} points would take about {seconds:.0f} s, more than the {BUDGET_SECONDS:.0f} s "
             "that one visitor gets here.")
    if largest is None:
        runs.refuse(f"{words} Even one point is too much: lower **Steps**, **Samples** or **Dimensions**.")
    axes = "; ".join(f"`{name}`: {shown(values)}" for name, values in largest.axes.items())
    runs.refuse(f"{words} The largest that fits has **{largest.replicates} seeds** and {axes}. Or run it yourself: "
                "*Share* on a smaller sweep has the command.")


def somewhere(grid: Grid) -> Iterator[Result]:
    """The results as they come: from the cluster or, with a sentence, from here where it does not take the sweep."""
    seen = set()
    if CLUSTER:
        try:
            for result in run(grid, CLUSTER, kept()):
                seen.add(result.task.index)
                yield result
            st.session_state["_sweep_here"] = False
            return
        except ValueError as error:  # before its first task
            st.session_state["_sweep_here"] = True
            _logger.warning("A sweep ran here and not on the cluster: %s", error)
            st.warning("The cluster that this server is set up with does not answer: this sweep runs on the machine "
                       "that serves this page.", icon=":material/cloud_off:")
    yield from (result for result in run(grid, store=kept()) if result.task.index not in seen)


def results(grid: Grid) -> list[Result]:
    """All results. Under a bar, with a button that stops it; what was done by then is kept and shown."""
    if st.session_state.get("_sweep_stopped") == grid.to_json():
        store = kept()
        return [found for task in grid.tasks() if (found := store.get(task)) is not None]
    left = unfinished(grid)
    seconds = predicted(grid).seconds * left / max(len(grid), 1)
    with heavy.slot_if(seconds > heavy.NOTICEABLE_SECONDS, "This sweep", seconds):
        return _run(grid, left)


def _run(grid: Grid, left: int) -> list[Result]:
    found, started = [], time.monotonic()
    place = st.empty()
    bar = None
    for result in somewhere(grid):
        found.append(result)
        done = len(found) - (len(grid) - left)
        if bar is None and left and time.monotonic() - started > PATIENCE:
            with place.container():
                bar = st.progress(0.0)
                st.button("Stop the sweep", icon=":material/stop:", key="_sweep_stop", on_click=_stop, args=(grid,))
        if bar is not None and done > 0:
            rest = (time.monotonic() - started) * (left - done) / done
            bar.progress(min(done / left, 1.0), f"{done} of {left} points, about {rest:.0f} s left")
    place.empty()
    return found


def _stop(grid: Grid) -> None:
    st.session_state["_sweep_stopped"] = grid.to_json()


def resume() -> None:
    st.session_state.pop("_sweep_stopped", None)


@st.cache_data(max_entries=KEPT_THEORIES, hash_funcs=runs.BY_QUERY, show_spinner=False)
def expected(experiment: Experiment, measure: str) -> float:
    """What the theory says of a point: κ of the closed form, or the expected excess loss at the end."""
    try:
        probe = simulate(experiment)
    except ValueError:
        return float("nan")
    if measure == "condition":
        values = expected_spectrum(experiment, probe.task)
        return float("nan") if values is None else condition(values)
    excess = None if why_unpredicted(probe) else predict(probe).excess
    return float(excess[-1] / excess[0]) if excess is not None and excess[0] > 0 else float("nan")


def theory(tasks: Sequence[Task], measure: str) -> dict[int, float]:
    """By task; none where there is none for the measure, or it would take long."""
    if measure not in ("condition", "excess_loss"):
        return {}
    found, started = {}, time.monotonic()
    for task in tasks:
        if time.monotonic() - started > THEORY_SECONDS:
            return {}
        try:
            spec = Experiment(**task.fields)
        except ValueError:
            continue
        if measure == "condition" or spec.rows * (spec.dimensions + 1) ** 2 * spec.steps < MOST_WORK / 8:
            found[task.index] = expected(spec, measure)
    return {index: value for index, value in found.items() if np.isfinite(value)}
