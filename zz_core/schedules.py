"""How the learning rate changes over a run: a factor per step."""
from collections.abc import Callable

import numpy as np

SCHEDULES: dict[str, Callable[[int], np.ndarray]] = {  # steps T -> factors (T,)
    "constant": lambda steps: np.ones(steps),
    "cosine": lambda steps: 0.5 * (1.0 + np.cos(np.pi * np.arange(steps) / steps)),
    "inverse_sqrt": lambda steps: 1.0 / np.sqrt(1.0 + np.arange(steps)),
}
