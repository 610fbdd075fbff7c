"""How long a saturated sigmoid neuron with squared loss takes to wake up."""
import math

import numpy as np

LARGEST = 300.0  # |preactivation| up to which e^(2z) is finite


def saturation_delay(start: float, stop: float, target: float) -> float:
    """Time of z from `start` to `stop` under dz/dt = -s'(z) (s(z) - target), s the sigmoid; inf if it never gets there.

    The loss is ½ (s(z) - target)², and time is in units of 1/K, K = rate * |(x, 1)|²: divide by K for steps. The
    motion goes to the target's logit without reaching it, so a stop there, beyond it or on the other side of the
    start takes forever. F(start) - F(stop) with F' = 1 / (s' (s - target)), derived here: for the target 0 (and 1, its
    mirror image) F = e^z + 3z - 3 e^-z - ½ e^-2z, for ½ F = 2 (e^z - 4z + e^-z + 8 ln(e^z - 1)), else by quadrature.
    """
    if not 0 <= target <= 1:
        raise ValueError(f"target={target}: must lie in [0, 1]")
    for name, value in {"start": start, "stop": stop}.items():
        if not abs(value) <= LARGEST:
            raise ValueError(f"{name}={value}: must lie in [-{LARGEST:g}, {LARGEST:g}]")
    if start == stop:
        return 0.0
    logit = -math.inf if target == 0 else math.inf if target == 1 else math.log(target / (1 - target))
    if start < logit:  # the mirror image: s(-z) = 1 - s(z)
        start, stop, logit = -start, -stop, -logit
    if not logit < stop < start:
        return math.inf
    if logit == -math.inf:
        return _delay_to_zero(start, stop)
    return _delay_to_half(start, stop) if logit == 0 else _delay_by_quadrature(start, stop, logit)


def _delay_to_zero(start: float, stop: float) -> float:
    """F(start) - F(stop), term by term as positive differences, so that nothing cancels."""
    way = start - stop
    return (math.exp(stop) * math.expm1(way) + 3 * way - 3 * math.exp(-stop) * math.expm1(-way)
            - 0.5 * math.exp(-2 * stop) * math.expm1(-2 * way))


def _delay_to_half(start: float, stop: float) -> float:
    """The same for F = 4 cosh(z) + 16 ln sinh(z/2), which is the F above written symmetrically."""
    total, way = start + stop, start - stop
    growth = 2 * math.cosh(total / 4) * math.sinh(way / 4) / math.sinh(stop / 2)  # of sinh(z/2), from stop to start
    return 8 * math.sinh(total / 2) * math.sinh(way / 2) + 16 * math.log1p(growth)


def _delay_by_quadrature(start: float, stop: float, logit: float) -> float:
    """Gauss-Legendre panels in ln(z - logit), in which the pole at the logit is flat.

    s(z) - s(logit) = sinh((z - logit)/2) / (2 cosh(z/2) cosh(logit/2)), which does not cancel near the logit.
    """
    length = math.log1p((start - stop) / (stop - logit))
    edges = np.linspace(0.0, length, 2 + int(length / 0.2))
    nodes, weights = np.polynomial.legendre.leggauss(24)
    half = np.diff(edges)[:, None] / 2
    distance = (stop - logit) * np.exp(edges[:-1, None] + half * (1 + nodes))
    speed_inverse = 8 * np.cosh((logit + distance) / 2) ** 3 * (math.cosh(logit / 2) / np.sinh(distance / 2))
    return float((half * weights * speed_inverse * distance).sum())
