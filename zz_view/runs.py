"""Runs for the pages: simulated once, kept for everyone, and refused with a sentence where they would take too long."""
import re
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import lru_cache
from typing import NoReturn

import numpy as np
import streamlit as st

from zz_core import Experiment, Run, simulate
from zz_core.costs import Cost, cost, largest_steps, slowness
from zz_core.experiment import DEFAULTS
from zz_core.losses import LOSSES
from zz_core.moments import joins, simulate_together
from zz_core.optimizers import OPTIMIZERS
from zz_core.prediction import Prediction, predict, why_unpredicted
from zz_core.stability import stability_limit
from zz_core.task import build_task
from zz_view.fields import label
from zz_view.hosting import heavy, meters
from zz_view.hosting.caches import Cache

BUDGET_SECONDS, BUDGET_BYTES = 10.0, 128 * 2**20
SMALL_BYTES = 8 * 2**20
MEASURES = 3  # times that a page looks at every sample of a run
SAMPLE, SAMPLE_OF_OTHERS, VALUE = 20e-9, 60e-9, 0.7e-9  # seconds for one: of squared losses, of others, of each input
KEPT_BYTES, KEPT_LARGE_BYTES = 64 * 2**20, 256 * 2**20  # of runs, in memory for everyone
KEPT_PREDICTIONS_BYTES = 6 * 2**20  # the longest two runs need that
BAND_SEEDS, BAND_SHARE = 20, 0.8  # how many runs a band sums up, and the share of them that it holds
# What the stability limit does not depend on: a dragged learning rate finds its limit in the cache.
NOT_IN_THE_LIMIT = {name: DEFAULTS[name] for name in ("learning_rate", "rate_unit", "schedule", "sampling", "steps",
                                                      "seed", "decay", "damping")}
BY_QUERY = {Experiment: lambda experiment: tuple(experiment.to_query().items())}


def get(experiment: Experiment, replicates: int = 1) -> Run:
    """The run of `experiment`, shared by all visitors: its arrays are read-only. Stops the page where there is none."""
    predicted, measured = cost(experiment, replicates), measuring(experiment, replicates)
    if not _within_budget(_sum(predicted, measured)):
        _refuse_cost(experiment, replicates, _sum(predicted, measured))
    cache, key = kept() if predicted.bytes <= SMALL_BYTES else kept_large(), (experiment, replicates)
    waiting = predicted.seconds > heavy.NOTICEABLE_SECONDS and key not in cache
    if waiting or measured.seconds > heavy.NOTICEABLE_SECONDS:
        heavy.hold("This run", predicted.seconds + measured.seconds)
    with (heavy.slot_if(waiting, "This run", predicted.seconds),
          st.spinner(f"Training, about {predicted.seconds:.0f} s …") if waiting else nullcontext()):
        try:
            return cache.get(key, lambda: _simulated(experiment, replicates))
        except ValueError as error:
            refuse(readable(error))


# Two caches, so that one long run does not drop what all others look at.
@st.cache_resource(show_spinner=False)
def kept() -> Cache[Run]:
    return Cache("runs", KEPT_BYTES)


@st.cache_resource(show_spinner=False)
def kept_large() -> Cache[Run]:
    return Cache("large_runs", KEPT_LARGE_BYTES)


def _simulated(experiment: Experiment, replicates: int) -> Run:
    with meters.timed("zigzag_simulation_seconds"):
        return _read_only(simulate(experiment, replicates))


def _read_only(run: Run) -> Run:
    for array in (*vars(run).values(), *run.task, *run.task.treated):
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return run


def prediction(run: Run) -> Prediction | None:
    """What the theory says of a run, or None where it covers none of its kind."""
    return None if why_unpredicted(run) else _predictions().get(run.experiment, lambda: predict(run))


@st.cache_resource(show_spinner=False)
def _predictions() -> Cache[Prediction]:
    return Cache("predictions", KEPT_PREDICTIONS_BYTES)


def get_with_bands(twins: Sequence[Experiment], replicates: int = 1) -> list[tuple[Run, np.ndarray | None]]:
    """The runs, each with the excess losses (2, T+1) between which most of BAND_SEEDS seeds lie, its own among them.

    No band for the full batch, which draws nothing, and where it would take noticeably long.
    """
    many = max(replicates, BAND_SEEDS)
    banded = [twin for twin in twins if not twin.full_batch and _light(_sum(cost(twin, many), measuring(twin, many)))]
    _run_together(banded, many)
    return [(first(run := get(twin, many), replicates), _band(run)) if twin in banded else (get(twin, replicates), None)
            for twin in twins]


def _light(predicted: Cost) -> bool:
    return predicted.seconds <= heavy.NOTICEABLE_SECONDS and _within_budget(predicted)


def _run_together(experiments: Sequence[Experiment], replicates: int) -> None:
    """Put those into the cache that can be stepped in one loop, which takes half the time of one by one."""
    missing = [each for each in experiments if joins(each) and (each, replicates) not in kept()
               and cost(each, replicates).bytes <= SMALL_BYTES]
    if not missing:
        return
    with suppress(ValueError), meters.timed("zigzag_simulation_seconds"):  # `get` will say what is wrong
        for each, run in zip(missing, simulate_together(missing, replicates), strict=True):
            kept().put((each, replicates), _read_only(run))


def _band(run: Run) -> np.ndarray:
    with np.errstate(all="ignore"):  # some have diverged
        ends = [(1 - BAND_SHARE) / 2, (1 + BAND_SHARE) / 2]
        return np.quantile(run.excess_losses()[:BAND_SEEDS], ends, axis=0, method="closest_observation")


def first(run: Run, replicates: int) -> Run:
    """The first replicates of a run, as a run of their own."""
    parts = ("weights", "biases", "input_biases", "batches", "diverged_at")
    return replace(run, **{name: None if (part := getattr(run, name)) is None else part[:replicates] for name in parts})


def affordable(experiment: Experiment, replicates: int = 1) -> bool:
    return _within_budget(_sum(cost(experiment, replicates), measuring(experiment, replicates)))


def measuring(experiment: Experiment, replicates: int = 1) -> Cost:
    """What a page's measures of the run take, where that may be more than the run itself: they look at every sample of
    every step, while the full batch may be solved for all steps at once. A loss that is not quadratic is evaluated on
    all samples after every step, however few of them the step has seen."""
    quadratic = LOSSES[experiment.loss].quadratic
    if quadratic and not experiment.full_batch:
        return Cost(0, 0.0)
    seen = experiment.steps * experiment.rows
    each = (SAMPLE if quadratic else SAMPLE_OF_OTHERS) + experiment.dimensions * VALUE
    return Cost(8 * seen if experiment.full_batch else 0,
                MEASURES * slowness() * each * seen * (1 if experiment.full_batch else replicates))


def _sum(*costs: Cost) -> Cost:
    return Cost(*map(sum, zip(*costs, strict=True)))


def _within_budget(predicted: Cost) -> bool:
    return predicted.seconds <= BUDGET_SECONDS and predicted.bytes <= BUDGET_BYTES


def _refuse_cost(experiment: Experiment, replicates: int, predicted: Cost) -> NoReturn:
    what = "This run" if replicates == 1 else f"These {replicates} runs"
    largest = _two_digits_down(bisect_left(  # measuring leaves fewer of those that can be run
        range(1, 1 + largest_steps(experiment, replicates, BUDGET_SECONDS, BUDGET_BYTES)), True,
        key=lambda steps: not affordable(replace(experiment, steps=steps), replicates)))
    advice = (f"Set **Steps** to {largest} or fewer." if largest else
              "Even one step would be too much: lower **Samples**, **Dimensions** or **Batch size**.")
    over = []
    if predicted.seconds > BUDGET_SECONDS:
        over.append(f"about {predicted.seconds:.0f} s, more than the {BUDGET_SECONDS:.0f} s")
    if predicted.bytes > BUDGET_BYTES:
        over.append(f"{predicted.bytes / 2**20:.0f} MiB, more than the {BUDGET_BYTES / 2**20:.0f} MiB")
    refuse(f"{what} would take {' and '.join(over)} that one visitor gets here. {advice}")


def _two_digits_down(number: int) -> int:
    unit = 10 ** max(len(str(number)) - 2, 0)
    return number // unit * unit


def refuse(sentence: str) -> NoReturn:
    """A sentence in place of the picture; no control is changed."""
    st.warning(sentence, icon=":material/tune:")
    st.stop()


def readable(error: ValueError, change: str = "Change it in the sidebar") -> str:
    """The core's "field=value: must be ..." as a sentence for someone who sees the page's controls, not the code."""
    name, value, rule = split_message(error)
    if name not in DEFAULTS:
        return f"This experiment is not possible: {error}."
    return f"**{label(name)}** is {value}, but it {rule}. {change}; nothing else was touched."


def split_message(error: ValueError) -> tuple[str, str, str]:
    """(field, value, what is allowed) of the core's message; the value in backticks, since a URL may hold anything."""
    found = re.fullmatch(r"(\w+)=(.*?): (.*)", str(error), flags=re.DOTALL)
    name, value, rule = found.groups() if found else ("", "", str(error))
    rule = re.sub(r"in \[(\S+), (\S+)\]", r"between \1 and \2", rule)
    return name, f"`{value.replace('`', '')[:40]}`", rule


def limit(experiment: Experiment) -> float:
    """The stability limit of the experiment's data, batch size and rule: the one that its rate is a fraction of."""
    return _limit(Experiment(**vars(experiment) | NOT_IN_THE_LIMIT))


@lru_cache(512)  # Streamlit's would spell the experiment out at every look-up
def _limit(experiment: Experiment) -> float:
    return stability_limit(experiment, build_task(experiment))


def twins(experiment: Experiment) -> tuple[Experiment, Experiment]:
    """The experiment on raw inputs, and on zero-centered ones (or with the treatment that it asks for)."""
    treatment = "center" if experiment.treatment == "none" else experiment.treatment
    return replace(experiment, treatment="none"), replace(experiment, treatment=treatment)


def twin_names(experiment: Experiment) -> tuple[str, str]:
    if experiment.treatment in ("none", "center"):
        return "raw", "zero-centered"
    return "raw", experiment.treatment.replace("_", " ")


def divergence_note(run: Run) -> str | None:
    """When a run diverged and what to change, or None where it did not."""
    gone = run.diverged_at[run.diverged_at >= 0]
    if not len(gone):
        return None
    seeds = len(run.diverged_at)
    who = "Diverged" if seeds == 1 else f"{len(gone)} of {seeds} seeds diverged, the first"
    return f"{who} at step {gone.min()}: {_calmer(run)}"


def warn_of_divergence(named: dict[str, Run]) -> None:
    """One warning for each run that diverged."""
    for name, run in named.items():
        if note := divergence_note(run):
            st.warning(f"{name.capitalize()}: {note}", icon=":material/warning:")


def note_lone_batch_norm(experiment: Experiment) -> None:
    """Why a run does not move that normalizes batches of one."""
    if experiment.treatment == "batch_norm" and experiment.batch_size == 1:
        st.info("Batch normalization of a single sample leaves nothing of it: set **Batch size** to 8 or more.",
                icon=":material/info:")


def _calmer(run: Run) -> str:
    experiment, optimizer = run.experiment, OPTIMIZERS[run.experiment.optimizer]
    if "learning_rate" not in optimizer.uses:
        return "choose another optimizer or a larger batch."
    if not optimizer.critical:
        return f"lower the learning rate (now {run.learning_rate:.2g}) or use a larger batch."
    times = run.learning_rate / limit(experiment)
    return f"lower the learning rate (now {times:.2g} times the stability limit)."
