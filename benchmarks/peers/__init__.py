"""The one table of peers: who they are, and what of theirs trains a neuron and a network.

Each function takes the run of ours that it repeats and the number of its replicates to train, gets ready, and returns
what is timed: a call without arguments that trains them. Data, start, rate and draws are given; ours makes them within
its time. The result is compared with ours: the last rows of the histories (R, rows, D) of neurons, the flat
parameters (R, P) of networks.
"""
from collections.abc import Callable
from importlib.util import find_spec
from pkgutil import resolve_name
from typing import NamedTuple

import numpy as np

from zz_core import Run
from zz_core.network import NetworkRun

Trained = Callable[[], np.ndarray]


class Peer(NamedTuple):
    """neuron, network: module:function within this package, or "" where it has none."""

    label: str
    package: str
    neuron: str = ""
    network: str = ""
    remark: str = ""  # where what it does is not quite the same

    @property
    def installed(self) -> bool:
        return find_spec(self.package) is not None

    def prepare(self, run: Run | NetworkRun, replicates: int) -> Trained:
        name = self.neuron if isinstance(run, Run) else self.network
        return resolve_name(f"{__name__}.{name}")(run, replicates)


PEERS: dict[str, Peer] = {
    "loop_drawing": Peer("NumPy loop, drawing at each step", "numpy", "numpy_loops:neuron_drawing"),
    "loop": Peer("NumPy loop", "numpy", "numpy_loops:neuron", "numpy_loops:network"),
    "torch": Peer("PyTorch eager, torch.optim", "torch", "torch_eager:neuron", "torch_eager:network"),
    "torch_batched": Peer("PyTorch, replicates on an axis", "torch", "torch_batched:neuron", "torch_batched:network"),
    "jax_first": Peer("JAX jit, scan, vmap: first call", "jax", "jax_scan:neuron_first", "jax_scan:network_first",
                      "with its compilation"),
    "jax": Peer("JAX jit, scan, vmap: warm", "jax", "jax_scan:neuron_warm", "jax_scan:network_warm"),
    "sklearn": Peer("scikit-learn, SGDRegressor", "sklearn", "sklearn_fit:neuron",
                    remark="one sample a step only; keeps the last weights only"),
}
