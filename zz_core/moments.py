"""Engine 3: mini-batch descent on the squared loss with few parameters, many experiments in one loop.

With the moments of its batch, A = X'X/B and c = X'(y - X w*)/B, a step is e <- e - rate (A e - c) in the error
e = w - w*: P² numbers instead of B samples. They are added up for all steps beforehand, and one iteration then steps
all replicates of all batch sizes and twins, each of which alone would spend its time on calls into NumPy.
"""
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from zz_core.experiment import DEFAULTS, Experiment
from zz_core.losses import LOSSES
from zz_core.neuron import build_neuron
from zz_core.schedules import SCHEDULES
from zz_core.simulation import Run, simulate, split_parameters
from zz_core.stability import absolute_rate
from zz_core.stepping import draw_batches, fill_after, mark_diverged, start_parameters
from zz_core.task import KEPT_VALUES as TASK_VALUES
from zz_core.task import Task, build_task
from zz_core.treatments import TREATMENTS

MOST_PARAMETERS = 4  # with more, adding up the moments takes longer than stepping
BLOCK_VALUES = 2**17  # samples added up at once: about what the second-level cache holds
KEPT_VALUES, KEPT_TOTALS = 2**19, 2  # sums of at most 4 MiB, of the two visitors who have moved something last
RATES = {name: DEFAULTS[name] for name in ("learning_rate", "rate_unit", "schedule")}


def joins(experiment: Experiment) -> bool:
    """Whether this engine can run the experiment."""
    treatment = TREATMENTS[experiment.treatment]
    return (experiment.optimizer == "sgd" and LOSSES[experiment.loss].quadratic and not experiment.full_batch
            and not treatment.per_batch and not treatment.learned
            and experiment.dimensions + experiment.bias <= MOST_PARAMETERS)


def simulate_together(experiments: Sequence[Experiment], replicates: int) -> list[Run]:
    """simulate(each, replicates) for each of them, to rounding; those that cannot join are simulated one by one.

    Meant for experiments that differ in batch size and treatment: only those that share their draws share a loop.
    """
    groups: dict[tuple, dict[int, tuple[Experiment, Task]]] = {}
    runs: dict[int, Run] = {}
    for k, each in enumerate(experiments):
        if not joins(each):
            runs[k] = simulate(each, replicates)
            continue
        # with replacement, the draws of a smaller batch are the first of a larger one's
        draws = each.seed, each.rows, each.steps, "all" if each.sampling == "replacement" else each.batch_size
        groups.setdefault((*draws, each.dimensions + each.bias), {})[k] = each, build_task(each)
    for group in groups.values():
        runs |= zip(group, _run(list(group.values()), replicates), strict=True)
    return [runs[k] for k in range(len(experiments))]


def _run(pairs: list[tuple[Experiment, Task]], replicates: int) -> list[Run]:
    """The runs of experiments that share their draws."""
    specs, optima = tuple(spec for spec, _ in pairs), [task.solution for _, task in pairs]
    stream = _stream(specs, replicates)
    rates = [absolute_rate(spec, task) for spec, task in pairs]
    neurons = [build_neuron(spec, task) for spec, task in pairs]
    starts = [start_parameters(spec, neuron, 1, float)[0] for (spec, _), neuron in zip(pairs, neurons, strict=True)]
    scales = [rate / spec.batch_size * SCHEDULES[spec.schedule](spec.steps)
              for rate, spec in zip(rates, specs, strict=True)]
    size, scales = neurons[0].size, np.array(scales)[:, None, None]
    if (len(pairs) * size * (size + 3) // 2 * replicates * specs[0].steps <= KEPT_VALUES
            and all(spec.rows * spec.dimensions <= TASK_VALUES for spec in specs)):
        totals = kept_totals(tuple(replace(spec, **RATES) for spec in specs), replicates) * scales
    else:
        totals = _totals(specs, [task for _, task in pairs], stream)
        totals *= scales
    errors = _iterate(totals, np.subtract(starts, optima))
    runs = []
    for (spec, task), rate, neuron, start, optimum, error in zip(pairs, rates, neurons, starts, optima, errors,
                                                                 strict=True):
        with np.errstate(all="ignore"):
            history = (error + optimum[:, None]).transpose(0, 2, 1)  # (T+1, R, P)
            history[0] = start
            diverged_at, index = np.full(replicates, -1), np.arange(spec.steps + 1)
            mark_diverged(history[1:], 1, diverged_at)
        diverged_at = fill_after(history, index, diverged_at)
        batches = stream[:, : spec.steps * spec.batch_size].reshape(replicates, spec.steps, spec.batch_size)
        runs.append(Run(spec, task, rate, *split_parameters(neuron, history.swapaxes(0, 1)), batches, diverged_at,
                        index))
    return runs


def _stream(specs: Sequence[Experiment], replicates: int) -> np.ndarray:
    """The samples (R, at least T B) that each of these takes the first of."""
    largest = max(specs, key=lambda spec: spec.batch_size)
    return draw_batches(largest, largest.rows, replicates).reshape(replicates, -1)


@lru_cache(maxsize=KEPT_TOTALS)
def kept_totals(specs: tuple[Experiment, ...], replicates: int) -> np.ndarray:
    """_totals, read-only: they do not depend on the learning rate, and small ones are kept while it is moved."""
    totals = _totals(specs, [build_task(spec) for spec in specs], _stream(specs, replicates))
    totals.setflags(write=False)
    return totals


def _totals(specs: Sequence[Experiment], tasks: Sequence[Task], stream: np.ndarray) -> np.ndarray:
    """Sums over each batch of x_i x_j (i <= j), then of x_i (y - x.w*), (K, P (P + 3) / 2, R, T) of K experiments whose
    samples are the first of stream (R, at least T B)."""
    neurons = [build_neuron(spec, task) for spec, task in zip(specs, tasks, strict=True)]
    replicates, steps, size = len(stream), specs[0].steps, neurons[0].size
    totals, ones = np.empty((len(specs), size * (size + 3) // 2, replicates, steps)), np.ones(stream.shape[1])
    twins: dict[int, list[int]] = {}
    for k, task in enumerate(tasks):
        twins.setdefault(id(task), []).append(k)
    block = max(1, BLOCK_VALUES // stream.shape[1])
    for start in range(0, replicates, block):
        part = slice(start, start + block)
        drawn = stream[part].astype(np.intp)
        for members in twins.values():
            x, task = neurons[members[0]].rows, tasks[members[0]]
            i, j = np.triu_indices(size)
            residuals = task.targets - x @ task.solution
            products = np.concatenate([x.T[i] * x.T[j], x.T * residuals])
            for c, product in enumerate(products):
                taken = np.take(product, drawn, mode="clip")
                for k in members:
                    batch = specs[k].batch_size
                    batches = taken[:, : steps * batch].reshape(len(drawn), steps, batch)
                    np.matmul(batches, ones[:batch], out=totals[k, c, part])
    return totals


def _iterate(totals: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The errors (K, T+1, P, R) of all runs from start (K, P); totals as above, times each step's rate / B."""
    experiments, _, replicates, steps = totals.shape
    size = start.shape[1]
    pair = np.empty((size, size), int)
    pair[np.triu_indices(size)] = pair.T[np.triu_indices(size)] = np.arange(size * (size + 1) // 2)
    by_step = totals.transpose(3, 1, 0, 2).reshape(steps, -1, experiments * replicates)
    matrices, shifts = by_step[:, pair], by_step[:, -size:]
    errors = np.empty((steps + 1, size, experiments * replicates))
    errors[0] = np.repeat(start.T, replicates, axis=1)
    product, step = np.empty_like(matrices[0]), np.empty_like(errors[0])
    with np.errstate(all="ignore"):  # overflow is what divergence looks like
        for here, there, matrix, shift in zip(errors[:-1], errors[1:], matrices, shifts, strict=True):
            np.multiply(matrix, here, out=product)
            np.add.reduce(product, axis=1, out=step)
            np.subtract(here, step, out=there)
            np.add(there, shift, out=there)
    return errors.reshape(steps + 1, size, experiments, replicates).transpose(2, 0, 1, 3)
