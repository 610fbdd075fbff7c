"""Signs along a run: the vectors of a stretch of steps, which of them share one sign, and what that says in words.

Steps count from 1: step t leads from row t-1 of the history to row t.
"""
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import streamlit as st

from zz_core import Run, measures
from zz_core.neuron import build_neuron
from zz_core.optimizers import OPTIMIZERS
from zz_core.treatments import TREATMENTS
from zz_view.hosting.caches import Cache
from zz_view.page import percent

VECTORS = {"sample": "sample gradient", "batch": "batch gradient", "update": "update"}
CHUNK_VALUES = 2**21  # of inputs at a time: the gradients of a long run are never held all at once
KEPT_BYTES = 4 * 2**20  # of signs, in memory for everyone: those of the two longest runs
ARRIVED = 1e-3  # of the distance at the start, where every page stops measuring a path


def part(run: Run, start: int, stop: int) -> Run:
    """Steps start+1 to stop of the run's first replicate, as a run of its own."""
    def rows(history: np.ndarray | None) -> np.ndarray | None:
        return None if history is None else history[:1, start : stop + 1]

    return replace(run, experiment=replace(run.experiment, steps=stop - start), weights=rows(run.weights),
                   biases=rows(run.biases), input_biases=rows(run.input_biases),
                   batches=None if run.batches is None else run.batches[:1, start:stop],
                   step_index=run.step_index[start : stop + 1])


def _first_of_batch(run: Run) -> Run:
    """The same iterates, each with the first sample of its batch alone; batch norm needs the others, too."""
    if TREATMENTS[run.experiment.treatment].per_batch:
        return run
    first = (np.zeros((1, run.experiment.steps, 1), np.int32) if run.batches is None else run.batches[..., :1])
    return replace(run, experiment=replace(run.experiment, batch_size=1), batches=first)


def vectors_of(run: Run, kind: str, start: int, stop: int) -> np.ndarray:
    """The vectors (stop - start, D) of VECTORS' `kind` at steps start+1 to stop, NaN after a divergence."""
    steps = part(run, start, stop)
    if kind == "update":
        return steps.updates()[0]
    if kind == "batch":
        return steps.gradients()[0]
    first = _first_of_batch(steps)
    if not TREATMENTS[run.experiment.treatment].per_batch:
        return first.gradients()[0]
    batch = None if steps.batches is None else steps.batches[0]
    normalized = build_neuron(run.experiment, run.task).gather(batch)[..., 0, : run.inputs.shape[1]]
    return first.residuals()[0, :, :1] * normalized


class Signs(NamedTuple):
    """What the signs of a run come to, over T steps."""

    same: np.ndarray  # (T,) 1 where all components share a sign, 0 where not, NaN where undefined or not counted
    slopes: np.ndarray  # (T,) sign of dL/df of the first sample, 0 where not counted
    arrived: int | None  # the step after which nothing is counted, since the run is at its optimum

    @property
    def share(self) -> float:
        return float(np.nanmean(self.same)) if self.counted else float("nan")

    @property
    def counted(self) -> int:
        return int(np.isfinite(self.same).sum())

    @property
    def flips(self) -> int:
        """How often dL/df changed sign from one counted step to the next."""
        signs = self.slopes[self.slopes != 0]
        return int((signs[1:] != signs[:-1]).sum())


def arrival(run: Run) -> int | None:
    """The first step within a thousandth of the distance at the start; None if there is none, or no way to go."""
    if run.optimum is None:
        return None
    step = measures.steps_to_tolerance(run.weights[0], run.optimum, ARRIVED)
    return int(step) if 0 < step < np.inf else None


def signs(run: Run, kind: str) -> Signs:
    """The signs of a whole run, kept for everyone: the arrays are read-only."""
    return _kept().get((run.experiment, kind), lambda: counted(run, kind))


@st.cache_resource(show_spinner=False)
def _kept() -> Cache[Signs]:
    return Cache("signs", KEPT_BYTES)


def counted(run: Run, kind: str) -> Signs:
    """The signs of a whole run, counted until it arrives or diverges."""
    arrived, steps = arrival(run), run.experiment.steps
    same, slopes = np.full(steps, np.nan), np.zeros(steps)
    width = max(1, CHUNK_VALUES // (run.experiment.batch_size * run.inputs.shape[1]))
    last = steps if arrived is None else arrived
    for start in range(0, last, width):
        stop = min(start + width, last)
        with np.errstate(all="ignore"):  # NaN after a divergence
            same[start:stop] = measures.unanimous(vectors_of(run, kind, start, stop))
            slopes[start:stop] = np.sign(_first_of_batch(part(run, start, stop)).residuals()[0, :, 0])
    found = Signs(same, np.nan_to_num(slopes), arrived)
    same.flags.writeable = found.slopes.flags.writeable = False
    return found


def _superscript(exponent: int) -> str:
    return "2" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(exponent))


def chance_words(dimensions: int) -> str:
    """2^(1-D) as a share, or as '1 in ...' where a share would read as zero."""
    if dimensions <= 7:
        return percent(measures.unanimous_by_chance(dimensions))
    return f"1 in {2 ** (dimensions - 1):,}" if dimensions <= 21 else f"1 in {_superscript(dimensions - 1)}"


def patterns_words(dimensions: int) -> str:
    """How many sign patterns there are, and how many of them hold one sign only."""
    return f"2 of {f'{2**dimensions:,}' if dimensions <= 20 else _superscript(dimensions)} sign patterns"


def answer(raw: Run, found: dict[str, Signs], kind: str) -> str:
    """The page's one sentence: why the weights move together, and how often they do in this run."""
    dimensions, (first, second) = raw.inputs.shape[1], found.values()
    if dimensions == 1:
        return "One weight has nothing to agree with: set the dimensions to 2 or more to see the question."
    if not first.counted and not second.counted:
        return "No step of these runs moves a weight, so there are no signs to compare."
    low, high = raw.inputs.min(), raw.inputs.max()
    if low > 0 or high < 0:
        cause = (f"All raw inputs are {'positive' if low > 0 else 'negative'}, so one sample pushes all weights the "
                 "same way")
    elif low >= 0 or high <= 0:
        cause = (f"No raw input is {'negative' if low >= 0 else 'positive'}, so one sample never pushes two weights "
                 "opposite ways")
    else:
        share = (raw.inputs > 0).mean()
        positive = "a few" if share < 0.005 else "almost all" if share > 0.995 else percent(share)
        cause = (f"The raw inputs have both signs ({positive} are positive), so one sample may push the weights "
                 "opposite ways")
    joint = ", yet" if (low >= 0 or high <= 0) and first.share < 1 else ":"
    shares = " and ".join(f"**{percent(series.share)}** of the {name} steps" if series.counted else
                          f"none of the {name} steps, which move nothing" for name, series in found.items())
    return f"{cause}{joint} {VECTORS[kind]}s have one sign in {shares}, against {chance_words(dimensions)} by chance."


def opposition(run: Run, start: int, stop: int) -> float:
    """Share of the update's components at steps start+1 to stop whose sign is opposite to the batch gradient's."""
    gradients, updates = (vectors_of(run, kind, start, stop) for kind in ("batch", "update"))
    moved = np.isfinite(updates) & (updates != 0)
    return float((np.sign(updates) == -np.sign(gradients))[moved].mean()) if moved.any() else float("nan")


def what_is_shown(run: Run, kind: str, start: int, stop: int) -> str:
    """Whose signs the picture shows, and what they have to do with the way the weights move."""
    spec, size = run.experiment, run.experiment.batch_size
    if kind == "update":
        text = "Shown are the signs of the **update**, what a step adds to the weights: "
        if spec.optimizer == "sgd":
            return text + "opposite to the batch gradient's."
        return text + (f"with {OPTIMIZERS[spec.optimizer].label}, {percent(opposition(run, start, stop))} of them are "
                       "opposite to the batch gradient's in the steps shown.")
    if kind == "batch":
        whose = f"the mean over {size} samples" if size > 1 else "here a single sample"
        text = f"Shown are the signs of the **batch gradient**, {whose}."
    else:
        whose = "the first of the data set, at each step's weights" if spec.full_batch else (
            f"the first of the {size} that the step uses" if size > 1 else "the only one that the step uses")
        text = f"Shown are the signs of the **gradient of one sample**, {whose}."
    if spec.optimizer == "sgd" and (kind == "batch" or size == 1):
        return text + " The weights move the opposite way: + in the picture means that the weight goes down."
    if spec.optimizer == "sgd":
        return text + " The weights move against the mean over the whole batch, which may have other signs."
    return text + " The weights move by the *update*, whose signs need not be the opposite ones."


def notes(pair: dict[str, Run], found: dict[str, Signs]) -> list[str]:
    """What limits the reading of the picture: dimensions, zeros, treatments, arrival."""
    raw, other = pair.values()
    dimensions, treatment, said = raw.inputs.shape[1], other.experiment.treatment, []
    if dimensions == 2:
        said.append("With two weights half of all gradients share a sign by chance: compare with that, not with zero.")
    if (raw.inputs >= 0).all() and (raw.inputs == 0).any():
        said.append(f"{percent((raw.inputs == 0).mean())} of the raw inputs are zero. A zero input gives a zero "
                    "component, which counts for neither sign.")
    if treatment == "layer_norm":
        said.append("Layer normalization makes the components of each gradient add up to zero: none has one sign.")
    if treatment == "batch_norm" and other.experiment.batch_size == 1:
        said.append("Batch normalization of a single sample leaves nothing of it: choose a batch of 8 or more.")
    arrivals = [f"the {name} run at step {series.arrived:,}" for name, series in found.items() if series.arrived]
    if arrivals:
        said.append(f"Arrived, with 0.1 % of the distance left: {', '.join(arrivals)}. Later steps are veiled and not "
                    "counted, since in the end they are rounding errors.")
    return said
