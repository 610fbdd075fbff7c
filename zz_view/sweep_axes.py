"""The axes of a sweep as the visitor writes them: "1, 4, 16" or "0.05 to 1, 9 values, log"."""
import re

import numpy as np

from zz_core.experiment import CHOICES, DEFAULTS, FIELD_TYPES, RULES, Experiment, log2_options
from zz_core.specs import Value, written
from zz_view.fields import label

NOT_SWEPT = ("seed",)  # the seeds of a task start there
FIELDS = tuple(name for name in DEFAULTS if name not in NOT_SWEPT)
MOST_VALUES = 50
RANGE = re.compile(r"\s*(?P<low>\S+)\s+to\s+(?P<high>[^\s,]+)\s*,?\s*(?P<count>\d+)?\s*(values)?"
                   r"\s*,?\s*(?P<log>log)?\s*", re.IGNORECASE)
USUAL: dict[str, list[Value]] = {
    "dimensions": [2, 4, 8, 16, 32, 64], "samples": [32, 64, 128, 256, 512, 1024],
    "input_mean": [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0], "input_std": [0.25, 0.5, 1.0, 2.0, 4.0],
    "learning_rate": [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0],
    "target_angle": [0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0, 105.0, 120.0, 135.0, 150.0, 165.0, 180.0],
    "distance": [0.5, 1.0, 2.0, 4.0, 8.0], "noise": [0.0, 0.1, 0.2, 0.5, 1.0],
    "start_bias": [-4.0, -2.0, 0.0, 2.0, 4.0], "start_along": [-4.0, -2.0, 0.0, 2.0, 4.0],
    "start_across": [-4.0, -2.0, 0.0, 2.0, 4.0], "momentum": [0.0, 0.5, 0.8, 0.9, 0.95, 0.99],
    "decay": [0.9, 0.99, 0.999, 0.9999], "damping": [0.001, 0.01, 0.1, 1.0, 10.0], "steps": [50, 100, 200, 400, 800],
    "data_seed": [0, 1, 2, 3, 4, 5, 6, 7],
}


def usual(name: str, experiment: Experiment) -> list[Value]:
    """What a field is swept over where the visitor says nothing."""
    if name == "batch_size":
        sizes = log2_options(experiment.rows)
        return sizes if len(sizes) <= 10 else [*sizes[:-1:2], sizes[-1]]
    if FIELD_TYPES[name] is bool:
        return [False, True]
    if name == "treatment":
        return ["none", "center"]
    return list(CHOICES[name]) if name in CHOICES else USUAL[name]


def parsed(name: str, text: str) -> list[Value]:
    """The values that are written; ValueError with what is allowed."""
    found = RANGE.fullmatch(text)
    values = _spread(name, found) if found and FIELD_TYPES[name] in (int, float) else [
        _read(name, part.strip()) for part in re.split(r"[,;\n]", text) if part.strip()]
    if not values:
        raise ValueError(f"{label(name)}: name at least one value")
    if len(values) > MOST_VALUES:
        raise ValueError(f"{label(name)}: at most {MOST_VALUES} values, not {len(values)}")
    return list(dict.fromkeys(values))


def _read(name: str, text: str) -> Value:
    return RULES.parsed(name, text.lower() if FIELD_TYPES[name] is bool else text)


def _spread(name: str, found: re.Match) -> list[Value]:
    low, high = _number(name, found["low"]), _number(name, found["high"])
    count, log = int(found["count"] or 9), found["log"] is not None
    if not 1 <= count <= MOST_VALUES or log and min(low, high) <= 0:
        raise ValueError(f"{label(name)}: a range has 1 to {MOST_VALUES} values, and is above 0 where it is log")
    values = np.geomspace(low, high, count) if log else np.linspace(low, high, count)
    if FIELD_TYPES[name] is int:
        return [RULES.checked(name, int(value)) for value in np.rint(values)]
    return [RULES.checked(name, float(f"{value:.6g}")) for value in values]


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{label(name)}={text}: a range is written like `0.05 to 1, 9 values, log`") from None


def shown(values: list[Value]) -> str:
    """The values as one may write them."""
    return ", ".join(f"{value:g}" if isinstance(value, float) else written(value) for value in values)


def is_log(values: list[Value]) -> bool:
    """Whether an axis with these values is better logarithmic."""
    numbers = np.array([value for value in values if not isinstance(value, str | bool)], float)
    return len(numbers) == len(values) > 2 and numbers.min() > 0 and numbers.max() / numbers.min() >= 16
