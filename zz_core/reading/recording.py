"""What a file holds, sorted: the inputs of layers, the gradients of layers, targets."""
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from zz_core.reading.checks import checked_matrix, listed, plural

INPUTS = ("inputs", "activations")
GRADIENTS = ("gradients", "gradient", "grads", "grad")
TARGETS = ("targets", "target", "labels", "label", "y")


@dataclass(frozen=True, eq=False)
class Recording:
    """layers (N, D) and gradients (T, ...) by the name of the layer, targets (N,), and what was left out, and why.

    `names` has the columns' names of the layers that bring some.
    """

    layers: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray] = field(default_factory=dict)
    targets: np.ndarray | None = None
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def sort_arrays(arrays: Mapping[str, np.ndarray], what: str) -> Recording:
    """A `Recording` of arrays by name.

    "inputs/NAME" and "activations/NAME" are what layer NAME is fed, "gradients/NAME" the gradients of its weights, one
    a step, as the recorders in examples/ write them. Without such a prefix a matrix is a layer's inputs unless its
    name contains "grad", a vector named targets, labels or y the targets. ValueError where nothing is left.
    """
    if len(arrays) == 1 and not _is_gradient(*arrays):
        ((name, values),) = arrays.items()
        return Recording({_short(name): checked_matrix(values, what)})
    layers, gradients, left_out, targets = {}, {}, {}, None
    for name, values in arrays.items():
        short = _short(name)
        if values.dtype.kind not in "biuf":
            left_out[name] = f"it holds values of type {values.dtype}, not real numbers"
        elif short.lower() in TARGETS and values.ndim == 1:
            targets = values
        elif _is_gradient(name):
            if values.ndim < 2 or not values.size:
                left_out[name] = f"its shape {values.shape} is not (steps, ...)"
            else:
                _refuse_second(short, gradients, f"{what}: {name!r} is the second array for the gradients")
                gradients[short] = values
        elif values.ndim == 2:
            _refuse_second(short, layers, f"{what}: {name!r} is the second array for the inputs")
            layers[short] = checked_matrix(values, f"{what}, {short!r}")
        else:
            left_out[name] = f"its shape {values.shape} is not (samples, features)"
    if not layers and not gradients:
        raise ValueError(f"{what}: none of {plural(len(left_out), 'array')} can be used ({listed(list(left_out))}): "
                         "must hold inputs of layers (samples, features), named inputs/LAYER, or gradients (steps, "
                         "...), named gradients/LAYER")
    return Recording(layers, gradients, targets, left_out=left_out)


def _refuse_second(layer: str, found: Mapping[str, np.ndarray], sentence: str) -> None:
    if layer in found:
        raise ValueError(f"{sentence} of layer {layer!r}: rename one of them")


def _short(name: str) -> str:
    """The layer that an array is about."""
    kind, _, rest = name.partition("/")
    return rest if rest and kind.lower() in INPUTS + GRADIENTS else name


def _is_gradient(name: str) -> bool:
    return name.partition("/")[0].lower() in GRADIENTS or "grad" in name.lower()
