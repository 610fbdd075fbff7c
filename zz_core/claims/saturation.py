"""Claims that compare the zig-zag with saturation."""
import math
from dataclasses import replace

import numpy as np

from zz_core.claims.claim import Claim, Experiments, Measured, over_seeds, per_seed
from zz_core.experiment import Experiment
from zz_core.measures import steps_to_level
from zz_core.simulation import Run, simulate
from zz_core.theory import saturation_delay


def saturation_costs(experiments: Experiments, seeds: int) -> Measured:
    """Steps that a deeply saturated start costs / steps that the inputs' mean costs; beside it a moderate start.

    The mean costs the steps of raw inputs beyond those of centered ones, both from an unsaturated start; saturation
    costs the steps of centered inputs beyond those from an unsaturated start. All runs go on to the same loss above
    the minimum, 1 % of the unsaturated centered start's.
    """
    start = simulate(replace(experiments["centered"], steps=1))
    goal = 0.01 * start.excess_losses()[0, 0]

    def steps(run: Run) -> np.ndarray:
        return np.atleast_1d(steps_to_level(run.excess_losses(), goal))

    taken = {name: per_seed(steps, experiment, seeds) for name, experiment in experiments.items()}
    zigzag = taken["raw"] - taken["centered"]
    return over_seeds((taken["deep"] - taken["centered"]) / zigzag, zigzag=float(np.median(zigzag)),
                      moderate=float(np.median(taken["moderate"] - taken["centered"])),
                      break_even=break_even(float(np.median(zigzag)), start.learning_rate),
                      deep=float(np.median(taken["deep"] - taken["centered"])),
                      moderate_start=experiments["moderate"].start_bias, deep_start=experiments["deep"].start_bias)


def break_even(steps: float, rate: float) -> float:
    """The start bias whose predicted delay is so many steps, to a tenth: a squared loss, centered inputs, targets
    around ½, from saturated to a preactivation of 1. Infinite beyond what floating point can saturate."""
    return next((float(start) for start in np.arange(1.1, 37.0, 0.1)
                 if saturation_delay(start, 1.0, 0.5) >= rate * steps), math.inf)


def _less_severe(measured: Measured) -> str:
    """Holds where the zig-zag costs less than moderate saturation, fails where it costs more than the deep one."""
    zigzag, moderate, deep = (measured.numbers[name] for name in ("zigzag", "moderate", "deep"))
    return "holds" if zigzag < moderate else "fails" if zigzag > deep else "conditional"


RAW = Experiment(inputs="factorial", dimensions=8, batch_size=256, bias=True, distance=6.0, loss="sigmoid_squared",
                 learning_rate=0.5, steps=700)
CENTERED = replace(RAW, treatment="center")
STARTS = {"raw": RAW, "centered": CENTERED, "moderate": replace(CENTERED, start_bias=4.0),
          "deep": replace(CENTERED, start_bias=8.0)}
UNIT = "steps that a deeply saturated start costs / steps that the inputs' mean costs, to 1 % of the loss, exact"
WORDS = {
    "holds": "The inputs' mean costs {zigzag:.0f} steps, a start bias of {moderate_start:.0f} already "
             "{moderate:.0f} and one at {deep_start:.0f} costs {deep:.0f}.",
    "conditional": "It depends on the depth: the inputs' mean costs {zigzag:.0f} steps, a start bias of "
                   "{moderate_start:.0f} costs {moderate:.0f} and one at {deep_start:.0f} costs {deep:.0f}. The delay "
                   "grows exponentially with the depth and should break even at {break_even:.1f}; the price of the "
                   "mean multiplies all steps.",
    "fails": "The inputs' mean costs {zigzag:.0f} steps, a start bias of {deep_start:.0f} costs {deep:.0f}."}
CLAIMS = (
    Claim(
        "less-severe-than-saturation", "The zig-zag is less severe than saturation.", "CS231n notes, neural networks 1",
        STARTS, "deep", "saturation", saturation_costs, _less_severe, UNIT, 1, "conditional", WORDS),
    Claim(
        "less-severe-with-cross-entropy", "The zig-zag is less severe than saturation, with cross-entropy too.",
        "CS231n notes, neural networks 1, carried over to cross-entropy",
        {name: replace(each, loss="logistic", steps=300) for name, each in STARTS.items()}, "deep", "saturation",
        saturation_costs, _less_severe, UNIT, 1, "fails",
        {**WORDS, "fails": "Cross-entropy does not saturate: a start bias of {deep_start:.0f} changes the "
                           "steps by {deep:+.0f}, the inputs' mean costs {zigzag:.0f}. Hidden "
                           "sigmoids are not tried here."}),
)
