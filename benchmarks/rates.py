"""How close to this machine the core works: the share of its matrix-product and copy rates that is reached."""
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.comparison import figure, run_of
from benchmarks.comparisons import NETWORK
from benchmarks.timing import interleaved
from zz_core import Experiment, modes, simulate
from zz_core.neuron import build_neuron
from zz_core.stepping import draw_batches, run_steps

STEPS = 5000  # of the full batches
SQUARE = 1024  # of the matrix product that sets the rate
COPIED = 2**24  # bytes of the copy that does: more than fit the second-level cache, fewer than the third's
WORK = "share that is reached of the rate of a 1024 x 1024 matrix product, of a copy of 16 MiB, or of its own product"


class Measure(NamedTuple):
    """What sets a rate: a call, and how many multiplications and additions, or bytes read and written, it takes."""

    name: str
    call: Callable[[], object]
    amount: float


class Work(NamedTuple):
    """call: what is timed. amount: what it must do at least, in the unit of what it is measured by."""

    name: str
    call: Callable[[], object]
    amount: float
    measures: tuple[Measure, ...]
    wanted: float | None = None


def measure(rounds: int) -> dict[str, object]:
    matrix, source = np.random.default_rng(0).random((SQUARE, SQUARE)), np.ones(COPIED // 8)
    product = Measure("product", partial(np.matmul, matrix, matrix, out=np.empty_like(matrix)), 2.0 * SQUARE**3)
    copy = Measure("copy", partial(np.copyto, np.empty_like(source), source), 2.0 * COPIED)
    works = [solved(product, 1, None), solved(product, 100, 0.8), network(product, 1), network(product, 32),
             streamed(copy, 32, 64), streamed(copy, 1, 512)]
    rows, rates = [], {product.name: [], copy.name: []}
    for work in works:
        found = interleaved(work.call, {each.name: each.call for each in work.measures}, rounds)
        for each in work.measures:
            times = found[each.name]
            rates.setdefault(each.name, []).append(each.amount / times["seconds"])
            rows.append({"work": work.name, "of": each.name, "wanted": work.wanted,
                         "our_seconds": times["our_seconds"], "share": work.amount * times["ratio"] / each.amount})
    return {"rows": rows, "rates": {name: float(np.median(rates[name])) for name in (product.name, copy.name)}}


def solved(product: Measure, tasks: int, wanted: float | None) -> Work:
    """Full batches that share their inputs, each with a minimizer of its own, solved for all steps at once.

    Their own product is the one that turns the modes into the history, in new memory as that is.
    """
    dimensions, rows, steps = 64, 1000, STEPS
    experiment = Experiment(dimensions=dimensions, samples=rows, batch_size=rows, steps=steps)
    run, rng = simulate(experiment), np.random.default_rng(0)
    neuron, optima = build_neuron(experiment, run.task), rng.normal(size=(tasks, dimensions))
    amount = 2.0 * steps * dimensions * tasks * dimensions
    own = Measure("product of that shape", partial(np.matmul, rng.random((steps, dimensions)),
                                                   rng.random((dimensions, tasks * dimensions))), amount)
    return Work(f"full batch, D = {dimensions}, {steps} steps, {_counted(tasks, 'task')}",
                partial(modes.solve, experiment, neuron, optima, run.learning_rate, 1, np.float64), amount,
                (product, own), wanted)


def network(product: Measure, replicates: int) -> Work:
    """All that `train` does against the three products a layer that its steps need."""
    sizes = (16, 32, 32, 1)
    weights = sum(a * b for a, b in zip(sizes, sizes[1:], strict=False))
    products = 3 * weights - sizes[0] * sizes[1]  # no gradient with respect to the inputs
    return Work(f"network, B = {NETWORK.batch_size}, {_counted(replicates, 'run')}, all records included",
                partial(run_of, NETWORK, replicates), 2.0 * NETWORK.batch_size * products * NETWORK.steps * replicates,
                (product,))


def streamed(copy: Measure, batch_size: int, replicates: int) -> Work:
    """Steps on samples that are gathered from as much as is copied: a copy of each of them, and the history."""
    dimensions, steps = 64, 200
    experiment = Experiment(dimensions=dimensions, samples=COPIED // (8 * dimensions), batch_size=batch_size,
                            steps=steps)
    run, batches = simulate(experiment), draw_batches(experiment, experiment.samples, replicates)
    call = partial(run_steps, experiment, build_neuron(experiment, run.task), run.targets, batches, run.learning_rate,
                   replicates, 1, np.float64)
    return Work(f"steps, D = {dimensions}, B = {batch_size}, {_counted(replicates, 'run')}", call,
                8.0 * steps * replicates * dimensions * (2 * batch_size + 1), (copy,))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"


def sentences(result: dict[str, object]) -> list[str]:
    """A table, as Markdown."""
    rates = result["rates"]
    return [f"product {rates['product'] / 1e9:.1f} GFLOP/s, copy {rates['copy'] / 1e9:.1f} GB/s read and written", "",
            "| work | share of the rate | of a | wanted |", "|---|---|---|---|", *map(_line, result["rows"])]


def _line(row: dict[str, object]) -> str:
    wanted = "" if row["wanted"] is None else f"{row['wanted']:.0%}" + ", missed" * (row["share"] < row["wanted"])
    return f"| {row['work']} | {row['share']:.0%} ({figure(1000 * row['our_seconds'])} ms) | {row['of']} | {wanted} |"
