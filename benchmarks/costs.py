"""The cost model: what it predicts against what random experiments take."""
from statistics import median

import numpy as np

from benchmarks.comparison import forget
from benchmarks.timing import seconds
from zz_core import Experiment, simulate
from zz_core.costs import cost
from zz_core.experiment import CHOICES
from zz_core.inputs import INPUTS

RUNS = 100
LONGEST = 3.0  # predicted seconds
SHORT = 0.005  # shorter ones are reported apart
WORK = f"{RUNS} random experiments: predicted / measured seconds"


def random_experiment(rng: np.random.Generator) -> Experiment | None:
    """All inputs, treatments, optimizers, losses; sizes uniform in their logarithm. None for an impossible draw."""
    def size(low: float, high: float) -> int:
        return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))

    fields = {name: str(rng.choice(options)) for name, options in CHOICES.items()}
    source = INPUTS[fields["inputs"]]
    dimensions = size(1, min(256, source.max_dimensions))
    samples = size(max(2, dimensions), 8192)
    rows = source.rows(samples, dimensions)
    if dimensions == 1:
        fields["target_angle"] = 0.0
    try:
        return Experiment(**fields, dimensions=dimensions, samples=samples, steps=size(1, 20000),
                          batch_size=int(rng.choice([1, size(1, rows), rows])), bias=bool(rng.integers(2)),
                          noise=float(rng.choice([0.0, 0.1])))
    except ValueError:
        return None


def random_runs(rng: np.random.Generator, count: int, longest: float) -> list[tuple[Experiment, int]]:
    """(experiment, replicates) pairs that are predicted to take at most `longest` seconds and 256 MiB."""
    runs = []
    while len(runs) < count:
        experiment, replicates = random_experiment(rng), int(rng.choice([1, 1, 4, 20, 200]))
        if experiment is not None:
            predicted = cost(experiment, replicates)
            if predicted.seconds <= longest and predicted.bytes <= 2**28:
                runs.append((experiment, replicates))
    return runs


def measure(rounds: int) -> dict[str, object]:
    """Each run is measured once, a short one as the best of `rounds`."""
    found = []
    for experiment, replicates in random_runs(np.random.default_rng(0), RUNS, LONGEST):
        predicted = cost(experiment, replicates).seconds
        try:
            run = simulate(experiment, replicates)  # the first call may have to read a data set
        except ValueError:  # no stability limit
            continue
        repeats = rounds if predicted < 0.1 else 1
        measured = min(seconds(lambda e=experiment, r=replicates: (forget(), simulate(e, r)))
                       for _ in range(repeats))
        if (run.diverged_at < 0).any():  # else it stopped early, which cannot be foreseen
            found.append((predicted, measured, f"{experiment.to_query()} x {replicates}"))
    ratios = {"all": found, f"above {1000 * SHORT:.0f} ms": [run for run in found if run[1] > SHORT]}
    worst = sorted(found, key=lambda run: abs(np.log(run[0] / run[1])))[-5:]
    return {"groups": {name: summary([predicted / measured for predicted, measured, _ in runs])
                       for name, runs in ratios.items() if runs},
            "worst": [{"ratio": predicted / measured, "seconds": measured, "run": run}
                      for predicted, measured, run in worst],
            "longest": max(measured for _, measured, _ in found)}


def summary(values: list[float]) -> dict[str, float]:
    within = sum(1 / 3 <= value <= 3 for value in values) / len(values)
    return {"runs": len(values), "lowest": min(values), "median": median(values), "highest": max(values),
            "within_3": within}


def sentences(result: dict[str, object]) -> list[str]:
    """Two tables, as Markdown."""
    lines = ["| runs | how many | min | median | max | within a factor of 3 |", "|---|---|---|---|---|---|"]
    lines += [f"| {name} | {group['runs']} | {group['lowest']:.2f} | {group['median']:.2f} | {group['highest']:.2f} | "
              f"{group['within_3']:.0%} |" for name, group in result["groups"].items()]
    lines += ["", f"the longest took {result['longest']:.2f} s", "", "| the worst | took | predicted / measured |",
              "|---|---|---|"]
    return lines + [f"| {run['run']} | {1000 * run['seconds']:.1f} ms | {run['ratio']:.2f} |"
                    for run in result["worst"]]
