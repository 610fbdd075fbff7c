"""Two kinds of slowness side by side: what a saturated start costs, and what inputs that are not centered cost."""
import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from zz_core.activations import sigmoid
from zz_core.experiment import Experiment
from zz_core.losses import LOSSES
from zz_core.stability import absolute_rate, stability_limit
from zz_core.task import Task, build_task, teacher_weights
from zz_core.theory import saturation_delay, steps_to
from zz_core.treatments import TREATMENTS

TOLERANCE = 1e-3  # of the loss at start bias 0, the same level for all starts
AWAKE = 1.0  # the output from which on the neuron counts as awake: what follows is the valley's time
MOST_SAMPLES = 256
MOST_STEPS = 8_000
MOST_WORK = 5e8  # about that many multiplications for one loss and kind of inputs, then its runs are given up
ELEMENTWISE = 40  # multiplications that a sample's sigmoid and loss take as long as


class Escapes(NamedTuple):
    """Runs from S start biases on one kind of inputs, and what is predicted for them."""

    steps: np.ndarray  # (S,) first step at or below the tolerance; inf where it was not reached
    outputs: np.ndarray  # (T+1, S) the mean output, w.(mean input) + b, before each step; NaN after the arrival
    delays: np.ndarray  # (S,) predicted steps until the output is AWAKE; 0 for starts that are
    slides: np.ndarray  # (S,) predicted steps from there on, linearized at the optimum; inf if it never arrives
    gain: float  # K = rate * |(mean input, 1)|²
    fraction: float  # of the stability limit
    given_up: float  # the step after which a run that had not arrived was given up; inf where all arrived

    @property
    def predicted(self) -> np.ndarray:
        """(S,) all predicted steps."""
        return self.delays + self.slides

    def wakes(self, index: int) -> float:
        """First step at which the output of start `index` is AWAKE or less; inf where it was not reached."""
        awake = np.flatnonzero(self.outputs[:, index] <= AWAKE)
        return float(awake[0]) if len(awake) else math.inf


class SaturationSweep(NamedTuple):
    """One loss; the same S start biases on raw inputs and on the twin's."""

    starts: np.ndarray  # (S,)
    raw: Escapes
    twin: Escapes

    @property
    def most_steps(self) -> float:
        """The steps in which whatever did not arrive did not arrive; inf where all runs did."""
        return min(self.raw.given_up, self.twin.given_up)

    def break_even(self, predicted: bool = False) -> float:
        """Start bias at which the twin takes as long as the raw run from 0: saturation has eaten what centering saves.

        Between two starts by interpolation of log(steps), a run that was given up counting as arrived then. NaN where
        the raw run is not slower or does not arrive, inf where the twin is faster from every start of the sweep.
        """
        level, steps = ((self.raw.predicted[0], self.twin.predicted) if predicted else
                        (self.raw.steps[0], self.twin.steps))
        if not steps[0] < level < math.inf:
            return math.nan
        slower = np.flatnonzero(steps >= level)
        if not len(slower):
            return math.inf
        low, high = slower[0] - 1, slower[0]
        later = steps[high] if math.isfinite(steps[high]) else max(level, self.twin.given_up)
        earlier = max(steps[low], 1)
        share = math.log(level / earlier) / math.log(later / earlier)
        return float(self.starts[low] + share * (self.starts[high] - self.starts[low]))


def sweep_start_bias(experiment: Experiment, losses: tuple[str, ...], starts: np.ndarray,
                     most_steps: int = MOST_STEPS) -> dict[str, SaturationSweep]:
    """Train from w = 0 and every start bias (S,), on raw and on treated inputs, a `SaturationSweep` for each loss.

    Of the experiment the inputs are taken (MOST_SAMPLES rows at most), the teacher, the rate and the treatment ("none"
    stands for centering). Set are the full batch, plain descent at a constant rate, a learned bias, no noise, and
    teacher's outputs whose mean is zero: a neuron that has learned is awake, whatever the inputs. Runs end at TOLERANCE
    of the loss at start bias 0. Raises ValueError where there is nothing to learn or the treatment is not affine.
    """
    starts = np.asarray(starts, float)
    if len(starts) < 2 or starts[0] != 0 or not (np.diff(starts) > 0).all():
        raise ValueError("starts: must be at least two start biases, ascending from 0")
    treatment = "center" if experiment.treatment == "none" else experiment.treatment
    if TREATMENTS[treatment].learned:
        raise ValueError(f"treatment={treatment}: must not be learned here, since nothing is predicted for it")
    spec, inputs, outputs = teaching(experiment)
    tasks = []
    for name in ("none", treatment):
        tasks.append(build_task(replace(spec, treatment=name), (inputs, sigmoid(outputs))))
        if tasks[-1].treated.matrix is None:
            raise ValueError(f"treatment={name}: must be the same map for all samples here, "
                             "or no weights give the teacher's outputs")
    return {loss: SaturationSweep(starts, *(_escapes(replace(spec, loss=loss, treatment=name), task, outputs, starts,
                                                     most_steps)
                                            for name, task in zip(("none", treatment), tasks, strict=True)))
            for loss in losses}


def teaching(experiment: Experiment) -> tuple[Experiment, np.ndarray, np.ndarray]:
    """The experiment as the sweep sets it, its raw inputs (N, D) and the teacher's outputs (N,), of mean zero."""
    spec = replace(experiment, samples=min(experiment.samples, MOST_SAMPLES), batch_size=1, treatment="none",
                   target="teacher", noise=0.0, bias=True, start_bias=0.0, start_along=0.0, start_across=0.0,
                   loss="sigmoid_squared", optimizer="sgd", schedule="constant")
    task = build_task(spec)
    rows = np.arange(len(task.raw))
    if len(rows) > MOST_SAMPLES:  # a factorial design has as many as it has
        rows = np.sort(np.random.default_rng(spec.data_seed).permutation(rows)[:MOST_SAMPLES])
    inputs = task.raw[rows]
    outputs = inputs @ teacher_weights(spec, task.direction)
    outputs = outputs - outputs.mean()
    if spec.distance == 0:
        raise ValueError("distance=0: must be above 0, or the start is already the target")
    if np.abs(outputs).max() <= 1e-9 * spec.distance:
        raise ValueError(f"inputs={spec.inputs}: must vary along the target's direction, or there is nothing to learn")
    return replace(spec, batch_size=len(inputs)), inputs, outputs


def _escapes(spec: Experiment, task: Task, teacher: np.ndarray, starts: np.ndarray, most_steps: int) -> Escapes:
    features = np.column_stack([task.evaluated, np.ones(len(teacher))])
    rate = absolute_rate(spec, task)
    loss = LOSSES[spec.loss]
    least = loss.value(teacher, task.targets).mean()
    level = TOLERANCE * float(loss.value(0.0, task.targets).mean() - least)
    steps, outputs = _descend(features, task.targets, spec.loss, rate, starts, least + level, most_steps)
    delays, slides = _predict(features, teacher, spec.loss, rate, starts, level)
    mean = features.mean(axis=0)
    given_up = math.inf if np.isfinite(steps).all() else len(outputs) - 1
    return Escapes(steps, outputs, delays, slides, rate * float(mean @ mean), rate / stability_limit(spec, task),
                   given_up)


def _descend(features: np.ndarray, targets: np.ndarray, loss: str, rate: float, starts: np.ndarray, level: float,
             most_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Full-batch descent from all starts at once: (S,) steps to the loss `level`, and (T+1, S) mean outputs.

    It follows the outputs, f -= rate/N * X X' dL/df, and drops the starts that have arrived. With more parameters than
    samples X is its triangular factor, which has the same X X'.
    """
    value, slope = LOSSES[loss].value, LOSSES[loss].slope
    if features.shape[1] > len(features):
        features = np.linalg.qr(features.T, mode="r").T
    back = np.ascontiguousarray(features.T) * (-rate / len(features))
    current = np.repeat(starts[:, None], len(targets), axis=1)
    steps, means = np.full(len(starts), np.inf), np.full((most_steps + 1, len(starts)), np.nan)
    active, work = np.arange(len(starts)), 0.0
    for step in range(most_steps + 1):
        means[step, active] = current.mean(axis=1)
        arrived = value(current, targets).mean(axis=1) <= level
        if arrived.any():
            steps[active[arrived]] = step
            active, current = active[~arrived], current[~arrived]
        work += current.size * (features.shape[1] + ELEMENTWISE)
        if not len(active) or work > MOST_WORK:
            break
        current += (slope(current, targets) @ features) @ back
    return steps, means[: step + 1]


def _predict(features: np.ndarray, teacher: np.ndarray, loss: str, rate: float, starts: np.ndarray,
             level: float) -> tuple[np.ndarray, np.ndarray]:
    """(S,) steps to be awake, and (S,) from there to the loss `level`. Derived here.

    While saturated, all samples have nearly one output and one slope, so the parameters move straight along the mean
    of (x, 1), until the output is AWAKE: that takes `escape_time` / K. From the point reached, gradient descent on the
    loss linearized at the optimum: features weighted with the Gauss-Newton curvature of the teacher's outputs.
    """
    mean = features.mean(axis=0)
    best = np.linalg.lstsq(features, teacher, rcond=1e-12)[0]
    weighted = features.T * LOSSES[loss].gauss_newton(teacher, sigmoid(teacher))
    values, vectors = np.linalg.eigh(weighted @ features / len(features))
    values = np.where(values > 1e-13 * values[-1], values, 0.0)
    delays = np.array([escape_time(loss, start) for start in starts]) / (rate * (mean @ mean))
    slides = np.empty(len(starts))
    for k, start in enumerate(starts):
        point = -max(start - AWAKE, 0.0) / (mean @ mean) * mean
        point[-1] += start
        components = np.sqrt(values / 2) * ((best - point) @ vectors)  # their squares add up to the loss
        total = float(components @ components)
        slides[k] = steps_to(values, components, rate, math.sqrt(level / total)) if total > level else 0.0
    return delays, slides


def escape_time(loss: str, start: float) -> float:
    """Time of the output from `start` down to AWAKE, in units of 1/K, with the mean target ½; 0 for a start below.

    Squared loss on a sigmoid: `saturation_delay`, about 2 e^start. Cross-entropy: dz/dt = -(s(z) - ½), derived here:
    4 ln(sinh(start/2) / sinh(AWAKE/2)), about 2 start; at most so long, since the weights learn on meanwhile.
    """
    if start <= AWAKE:
        return 0.0
    if loss == "sigmoid_squared":
        return saturation_delay(start, AWAKE, 0.5)
    way = start - AWAKE  # ln sinh(z/2) = z/2 + ln(1 - e^-z) - ln 2
    return 2 * way + 4 * (math.log(-math.expm1(-start)) - math.log(-math.expm1(-AWAKE)))


def time_to_output(loss: str, start: float, stops: np.ndarray) -> np.ndarray:
    """`escape_time` from `start` to each of the outputs `stops` (n,) between AWAKE and start."""
    return escape_time(loss, start) - np.array([escape_time(loss, stop) for stop in stops])


def underflow(dtype: type) -> tuple[float, float]:
    """The outputs z from which on, upward and downward, the slope of a sigmoid is exactly 0 in this precision.

    Upward for a slope coded s(1 - s), where s rounds to 1; downward for the best code there is, where e^z vanishes.
    """
    z = np.arange(0.0, 800.0, 0.01)
    one = dtype(1)
    with np.errstate(under="ignore"):
        decay = np.exp(-z.astype(dtype))
    return float(z[np.argmax(one - one / (one + decay) == 0)]), -float(z[np.argmax(decay == 0)])
