"""The loop that one writes first: run by run, step by step."""
import numpy as np

from benchmarks.peers import Trained
from zz_core import Run
from zz_core.network import NetworkRun


def neuron(run: Run, replicates: int) -> Trained:
    """The iterates of every run."""
    return lambda: np.array([_path(run, replicate, None) for replicate in range(replicates)])


def neuron_drawing(run: Run, replicates: int) -> Trained:
    """The same from the same streams, but each step draws its batch, as such loops are written."""
    return lambda: np.array([_path(run, replicate, np.random.default_rng(run.experiment.seed + replicate))
                             for replicate in range(replicates)])


def _path(run: Run, replicate: int, rng: np.random.Generator | None) -> list[np.ndarray]:
    x, y, lr, B = run.inputs, run.targets, run.learning_rate, run.experiment.batch_size
    w = np.zeros(x.shape[1])
    path = [w]
    for step in range(run.experiment.steps):
        if run.batches is not None:
            batch = (run.batches[replicate, step] if rng is None else
                     rng.integers(0, len(run.inputs), size=B, dtype=np.int32))
            x, y = run.inputs[batch], run.targets[batch]
        w = w - lr * x.T @ (x @ w - y) / B
        path.append(w)
    return path


def network(run: NetworkRun, replicates: int) -> Trained:
    """The parameters after the training of every run."""
    return lambda: np.array([_trained(run, replicate) for replicate in range(replicates)])


def _trained(run: NetworkRun, replicate: int) -> np.ndarray:
    relu, lr, B = run.experiment.activation == "relu", run.experiment.learning_rate, run.experiment.batch_size
    layers = [(layer["weight"].copy(), layer["bias"].copy())
              for layer in run.unflatten(run.checkpoints[replicate, 0])]
    for batch in run.batches[replicate]:
        inputs = [run.inputs[batch]]
        for W, b in layers[:-1]:
            z = inputs[-1] @ W.T + b
            inputs.append(np.maximum(z, 0) if relu else np.tanh(z))
        W, b = layers[-1]
        delta = (inputs[-1] @ W.T + b - run.targets[batch, None]) / B
        for k in range(len(layers) - 1, -1, -1):
            (W, b), a = layers[k], inputs[k]
            before = delta @ W * ((a > 0) if relu else 1 - a**2)
            layers[k] = W - lr * delta.T @ a, b - lr * delta.sum(axis=0)
            delta = before
    return flat(layers)


def flat(layers: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Weights (..., out, in) and biases (..., out) in the order in which `train` keeps them, (..., P)."""
    blocks = [np.concatenate([W, b[..., None]], axis=-1) for W, b in layers]
    return np.concatenate([block.reshape(*block.shape[:-2], -1) for block in blocks], axis=-1)
