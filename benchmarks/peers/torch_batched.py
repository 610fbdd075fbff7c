"""PyTorch for many runs at once: replicates on a leading axis, autograd and torch.optim.SGD."""
import numpy as np
import torch

from benchmarks.peers import Trained
from benchmarks.peers.numpy_loops import flat
from zz_core import Run
from zz_core.network import NetworkRun

torch.set_num_threads(1)


def neuron(run: Run, replicates: int) -> Trained:
    """The iterates of every run of mini-batches."""
    x, y = torch.tensor(run.inputs), torch.tensor(run.targets)
    drawn = torch.from_numpy(run.batches[:replicates].astype(np.int64)).swapaxes(0, 1).contiguous()

    def paths() -> np.ndarray:
        w = torch.zeros(replicates, x.shape[1], dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=run.learning_rate)
        kept = torch.empty(run.experiment.steps + 1, replicates, x.shape[1], dtype=torch.float64)
        kept[0] = 0.0
        for step, batch in enumerate(drawn, 1):
            optimizer.zero_grad()
            outputs = torch.bmm(x[batch], w[..., None])[..., 0]
            loss = 0.5 * torch.square(outputs - y[batch]).mean(dim=1).sum()
            loss.backward()
            optimizer.step()
            kept[step] = w.detach()
        return kept.swapaxes(0, 1).numpy()

    return paths


def network(run: NetworkRun, replicates: int) -> Trained:
    """The parameters after the training of every run; nothing is recorded."""
    inputs, targets = torch.tensor(run.inputs), torch.tensor(run.targets)[:, None]
    drawn = torch.from_numpy(run.batches[:replicates].astype(np.int64)).swapaxes(0, 1).contiguous()
    activation = {"relu": torch.relu, "tanh": torch.tanh}[run.experiment.activation]

    def trained() -> np.ndarray:
        start = run.unflatten(run.checkpoints[:replicates, 0])
        layers = [(torch.tensor(layer["weight"], requires_grad=True), torch.tensor(layer["bias"], requires_grad=True))
                  for layer in start]
        optimizer = torch.optim.SGD([part for layer in layers for part in layer], lr=run.experiment.learning_rate)
        for batch in drawn:
            optimizer.zero_grad()
            x = inputs[batch]
            for k, (W, b) in enumerate(layers):
                x = torch.baddbmm(b[:, None], x, W.mT)
                x = activation(x) if k < len(layers) - 1 else x
            loss = 0.5 * torch.square(x - targets[batch]).mean(dim=(1, 2)).sum()
            loss.backward()
            optimizer.step()
        return flat([(W.detach().numpy(), b.detach().numpy()) for W, b in layers])

    return trained
