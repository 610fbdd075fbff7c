"""How a network's parameters lie in one flat vector, and where they start.

Every layer has one block (out, in + 1): its weights, and its bias as a last column, for inputs carry a constant 1 as
their last feature. So one product yields both, forward and backward. After it come the scale and the offset of the
layer's normalization, where they are learned.
"""
from typing import NamedTuple

import numpy as np

from zz_core.network.experiment import NetworkExperiment


class Layer(NamedTuple):
    """Views on a layer's parameters, or on their gradients; leading axes as those of the flat array."""

    weight: np.ndarray  # (..., out, in + 1), the bias last
    gamma: np.ndarray | None  # (..., out)
    beta: np.ndarray | None  # (..., out)


class Architecture(NamedTuple):
    """Sizes from the inputs to the outputs, and what stands between two layers."""

    sizes: tuple[int, ...]
    activation: str
    normalization: str
    before: bool  # the normalization stands before the activation
    affine: bool

    @classmethod
    def of(cls, experiment: NetworkExperiment, inputs: int, outputs: int) -> "Architecture":
        return cls((inputs, *experiment.widths, outputs), experiment.activation, experiment.normalization,
                   experiment.normalization_place == "before", experiment.affine)

    @property
    def hidden(self) -> int:
        return len(self.sizes) - 2

    @property
    def normalized(self) -> bool:
        return self.normalization != "none"

    @property
    def batch_norm(self) -> bool:
        return self.normalization == "batch_norm"

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        affine = 2 * sum(self.sizes[1:-1]) if self.normalized and self.affine else 0
        return sum((a + 1) * b for a, b in zip(self.sizes, self.sizes[1:], strict=False)) + affine

    @property
    def statistics(self) -> int:
        """Q, the number of running statistics: a mean and a variance of each normalized unit."""
        return 2 * sum(self.sizes[1:-1]) if self.batch_norm else 0

    def views(self, flat: np.ndarray) -> list[Layer]:
        """The layers of flat parameters or gradients (..., P); they share its memory."""
        layers, start, lead = [], 0, flat.shape[:-1]
        for k, (inputs, outputs) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            stop = start + (inputs + 1) * outputs
            weight, gamma, beta = flat[..., start:stop].reshape(*lead, outputs, inputs + 1), None, None
            if k < self.hidden and self.normalized and self.affine:
                gamma, beta = flat[..., stop : stop + outputs], flat[..., stop + outputs : stop + 2 * outputs]
                stop += 2 * outputs
            layers.append(Layer(weight, gamma, beta))
            start = stop
        return layers

    def running(self, flat: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The running mean and variance (..., out) of each hidden layer of flat statistics (..., Q); [] if none run."""
        pairs, start = [], 0
        for width in self.sizes[1:-1] if self.batch_norm else ():
            pairs.append((flat[..., start : start + width], flat[..., start + width : start + 2 * width]))
            start += 2 * width
        return pairs

    def start_statistics(self, replicates: int) -> np.ndarray:
        """(R, Q): mean 0 and variance 1."""
        flat = np.zeros((replicates, self.statistics))
        if self.batch_norm:
            for _, variance in self.running(flat):
                variance[...] = 1.0
        return flat


def start_parameters(architecture: Architecture, initialization: str, rng: np.random.Generator) -> np.ndarray:
    """The start (P,) of one network: scales 1 and offsets 0.

    xavier: weights uniform on ±sqrt(6 / (in + out)), biases 0 (Glorot and Bengio, AISTATS 2010). he: weights normal
    with variance 2 / in, biases 0 (He, Zhang, Ren and Sun, ICCV 2015). plain: weights and biases uniform on
    ±1 / sqrt(in), which is what PyTorch's linear layers do by themselves.
    """
    flat = np.zeros(architecture.size)
    for layer in architecture.views(flat):
        outputs, inputs = layer.weight.shape[0], layer.weight.shape[1] - 1
        if initialization == "xavier":
            limit = np.sqrt(6 / (inputs + outputs))
            layer.weight[:, :-1] = rng.uniform(-limit, limit, (outputs, inputs))
        elif initialization == "he":
            layer.weight[:, :-1] = rng.normal(0.0, np.sqrt(2 / inputs), (outputs, inputs))
        else:
            layer.weight[...] = rng.uniform(-1, 1, (outputs, inputs + 1)) / np.sqrt(inputs)
        if layer.gamma is not None:
            layer.gamma[...] = 1.0
    return flat
