"""Many seeds: `simulate` against the plain loop, run by run."""
from functools import partial

import numpy as np

from benchmarks.timing import ratio_sentences, ratios
from zz_core import Experiment, Run, simulate

REPLICATES = 200
EXPERIMENT = Experiment(dimensions=16, batch_size=1, steps=1000)
WORK = "200 seeds of 1000 steps, D = 16, B = 1: the plain loop's time / simulate's"
PLAIN, DRAWN = "plain loop, each step draws its batch", "the same loop with the batches of a run drawn beforehand"
TARGETS = {PLAIN: 80.0}


def plain_loop(run: Run, draw_each_step: bool) -> list[list[np.ndarray]]:
    """The iterates of every run. Data and rate are given; the draws are those of `simulate`, from the same streams."""
    inputs, targets, lr = run.inputs, run.targets, run.learning_rate
    steps, B = run.experiment.steps, run.experiment.batch_size
    paths = []
    for replicate in range(REPLICATES):
        rng = np.random.default_rng(run.experiment.seed + replicate)
        w = np.zeros(inputs.shape[1])
        path = [w]
        drawn = None if draw_each_step else rng.integers(0, len(inputs), size=(steps, B), dtype=np.int32)
        for step in range(steps):
            batch = rng.integers(0, len(inputs), size=B, dtype=np.int32) if draw_each_step else drawn[step]
            x, y = inputs[batch], targets[batch]
            w = w - lr * x.T @ (x @ w - y) / B
            path.append(w)
        paths.append(path)
    return paths


def measure(rounds: int) -> dict[str, dict[str, float]]:
    run = simulate(EXPERIMENT, REPLICATES)
    for draw_each_step in (False, True):
        apart = np.abs(np.array(plain_loop(run, draw_each_step)) - run.weights).max()
        assert apart < 1e-9, f"the loop and simulate differ by {apart}"
    peers = {PLAIN: partial(plain_loop, run, True), DRAWN: partial(plain_loop, run, False)}
    return ratios(partial(simulate, EXPERIMENT, REPLICATES), peers, rounds)


def sentences(result: dict[str, dict[str, float]]) -> list[str]:
    return ratio_sentences(result, TARGETS)
