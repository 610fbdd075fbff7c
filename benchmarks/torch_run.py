"""One run: `simulate` against PyTorch, eager, with its own SGD."""
from functools import partial

import numpy as np

from benchmarks.timing import ratio_sentences, ratios
from zz_core import Experiment, Run, simulate

try:
    import torch
except ImportError:
    torch = None

EXPERIMENT = Experiment(dimensions=64, batch_size=32, steps=2000)
WORK = "one run of 2000 steps, D = 64, B = 32: PyTorch's time / simulate's"
PEER = "PyTorch eager, torch.optim.SGD, float64"
TARGETS = {PEER: 10.0}


def torch_loop(run: Run) -> list:
    """The iterates of the run; data, rate and draws are those of `simulate`."""
    inputs, targets = torch.tensor(run.inputs), torch.tensor(run.targets)
    batches = torch.from_numpy(run.batches[0].astype(np.int64))
    w = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=run.learning_rate)
    path = [w.detach().clone()]
    for batch in batches:
        optimizer.zero_grad()
        loss = 0.5 * torch.square(inputs[batch] @ w - targets[batch]).mean()
        loss.backward()
        optimizer.step()
        path.append(w.detach().clone())
    return path


def measure(rounds: int) -> dict[str, dict[str, float]]:
    if torch is None:
        return {}
    torch.set_num_threads(1)
    run = simulate(EXPERIMENT)
    apart = np.abs(torch.stack(torch_loop(run)).numpy() - run.weights[0]).max()
    assert apart < 1e-9, f"PyTorch and simulate differ by {apart}"
    return ratios(partial(simulate, EXPERIMENT), {PEER: partial(torch_loop, run)}, rounds)


def sentences(result: dict[str, dict[str, float]]) -> list[str]:
    return ratio_sentences(result, TARGETS) or ["skipped, since PyTorch is not installed: "
                                                "pip install -r requirements-bench.txt"]
