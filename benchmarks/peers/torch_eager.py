"""PyTorch as it is taught: autograd and torch.optim.SGD, run by run, in double precision."""
import numpy as np
import torch

from benchmarks.peers import Trained
from benchmarks.peers.numpy_loops import flat
from zz_core import Run
from zz_core.network import NetworkRun

torch.set_num_threads(1)
ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}


def neuron(run: Run, replicates: int) -> Trained:
    """The iterates of every run."""
    x, y = torch.tensor(run.inputs), torch.tensor(run.targets)
    drawn = None if run.batches is None else torch.from_numpy(run.batches[:replicates].astype(np.int64))

    def path(replicate: int) -> torch.Tensor:
        w = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=run.learning_rate)
        kept = [w.detach().clone()]
        for step in range(run.experiment.steps):
            inputs, targets = (x, y) if drawn is None else (x[drawn[replicate, step]], y[drawn[replicate, step]])
            optimizer.zero_grad()
            loss = 0.5 * torch.square(inputs @ w - targets).mean()
            loss.backward()
            optimizer.step()
            kept.append(w.detach().clone())
        return torch.stack(kept)

    return lambda: torch.stack([path(replicate) for replicate in range(replicates)]).numpy()


def network(run: NetworkRun, replicates: int) -> Trained:
    """The parameters after the training of every run; nothing is recorded."""
    inputs, targets = torch.tensor(run.inputs), torch.tensor(run.targets)[:, None]
    drawn = torch.from_numpy(run.batches[:replicates].astype(np.int64))

    def trained(replicate: int) -> np.ndarray:
        model = _model(run, replicate)
        optimizer = torch.optim.SGD(model.parameters(), lr=run.experiment.learning_rate)
        for batch in drawn[replicate]:
            optimizer.zero_grad()
            loss = 0.5 * torch.square(model(inputs[batch]) - targets[batch]).mean()
            loss.backward()
            optimizer.step()
        return flat([(part.weight.detach().numpy(), part.bias.detach().numpy()) for part in model[::2]])

    return lambda: np.array([trained(replicate) for replicate in range(replicates)])


def _model(run: NetworkRun, replicate: int) -> torch.nn.Sequential:
    """The network of the run at its start."""
    parts = []
    for layer in run.unflatten(run.checkpoints[replicate, 0]):
        linear = torch.nn.Linear(*layer["weight"].shape[::-1], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer["weight"]))
            linear.bias.copy_(torch.tensor(layer["bias"]))
        parts += [linear, ACTIVATIONS[run.experiment.activation]()]
    return torch.nn.Sequential(*parts[:-1])
