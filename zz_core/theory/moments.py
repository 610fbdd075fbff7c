"""Mean and variance of what an activation passes on: they decide how far the next layer's inputs are off center."""
import math

import numpy as np

from zz_core.activations import ACTIVATIONS, Activation

NODES = 32  # Gauss-Legendre points a panel
REACH = 12  # standard deviations; the normal density beyond is below 1e-31


def _panels(kink: float) -> np.ndarray:
    """Edges over [-REACH, REACH]: every unit, and halving toward `kink` from both sides.

    At z = 0 lie the kinks of relu and elu and, for a large std, the whole rise of a sigmoid: each panel there is no
    longer than its distance from that point, whatever the scale.
    """
    near = 2.0 ** -np.arange(31)
    edges = np.concatenate([np.arange(-REACH, REACH + 1), [kink], kink - near, kink + near])
    return np.unique(np.clip(edges, -REACH, REACH))


def activation_moments(activation: str | Activation, std: float, mean: float = 0.0) -> tuple[float, float]:
    """(mean, variance) of activation(z) for z normal with this mean and standard deviation.

    Composite Gauss-Legendre quadrature, split at z = 0; the variance is taken about the mean found, so that nothing
    cancels. `activation` is a key of ACTIVATIONS or an Activation, whose value may have a kink at 0 and nowhere else.
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation={activation}: must be one of {', '.join(ACTIVATIONS)}")
        activation = ACTIVATIONS[activation]
    if not 0 < std < math.inf:
        raise ValueError(f"std={std}: must be positive and finite")
    if not math.isfinite(mean):
        raise ValueError(f"mean={mean}: must be finite")
    edges = _panels(-mean / std)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(edges)[:, None] / 2
    t = (edges[:-1, None] + half * (1 + nodes)).ravel()
    density = (half * weights).ravel() * np.exp(-0.5 * t**2)
    density /= density.sum()
    values = activation.value(mean + std * t)
    center = density @ values
    return float(center), float(density @ (values - center) ** 2)
