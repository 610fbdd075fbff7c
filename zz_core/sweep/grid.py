"""Which experiments a sweep runs, and what they will take."""
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import product
from typing import NamedTuple

import numpy as np

from zz_core.costs import cost
from zz_core.experiment import DEFAULTS, FIELD_TYPES, RULES, Experiment
from zz_core.specs import Value
from zz_core.sweep.task import Task

MOST_TASKS, MOST_REPLICATES = 100_000, 10_000
MEASURING = 3.0  # times the seconds of a run that running and measuring it takes
FEWEST_SEEDS = 5  # below, fewer points are proposed rather than fewer seeds
SCALES = ("linear", "log")


@dataclass(frozen=True)
class Grid:
    """Every combination of the axes' values, each in place of the base's field, `replicates` seeds each.

    ValueError names a field that is none, or a value that it does not allow. Values that are allowed alone and
    impossible together are no error: their rows say what is wrong with them.
    """

    base: Experiment = field(default_factory=Experiment)
    axes: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    replicates: int = 20

    def __post_init__(self) -> None:
        if not isinstance(self.axes, Mapping):
            raise ValueError(f"axes={self.axes!r}: must name fields with their values")
        object.__setattr__(self, "axes", {name: _values(name, values) for name, values in self.axes.items()})
        count = self.replicates
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_REPLICATES:
            raise ValueError(f"replicates={count}: must be a whole number in [1, {MOST_REPLICATES}]")
        if len(self) > MOST_TASKS:
            raise ValueError(f"axes: must make at most {MOST_TASKS:,} combinations, not {len(self):,}")

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.axes.values())

    def points(self) -> Iterator[dict[str, Value]]:
        """The axes' fields of every task; the last axis turns fastest."""
        return (dict(zip(self.axes, values, strict=True)) for values in product(*self.axes.values()))

    def tasks(self) -> list[Task]:
        spec = asdict(self.base)
        return [Task(index, spec | point, self.replicates, tuple(point)) for index, point in enumerate(self.points())]

    @classmethod
    def from_json(cls, text: str) -> "Grid":
        """{"base": {field: value}, "axes": {field: [values]}, "replicates": 20}; an axis may also be {"from": 0.01,
        "to": 1, "count": 9, "scale": "log"}. ValueError says what is wrong with it."""
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {error.lineno}, column {error.colno}: must be JSON; {error.msg}") from None
        if not isinstance(found, dict) or set(found) - {"base", "axes", "replicates"}:
            extra = sorted(set(found) - {"base", "axes", "replicates"}) if isinstance(found, dict) else type(found)
            raise ValueError(f"grid: must hold base, axes and replicates and nothing else, not {extra}")
        base, axes = found.get("base", {}), found.get("axes", {})
        for name, part in (("base", base), ("axes", axes)):
            if not isinstance(part, dict):
                raise ValueError(f"{name}={part!r}: must name fields with their values")
        unknown = set(base) - set(DEFAULTS)
        if unknown:
            raise ValueError(_no_field(min(unknown)))
        return cls(Experiment(**{name: _plain(name, value) for name, value in base.items()}),
                   {name: _ranged(name, values) for name, values in axes.items()}, found.get("replicates", 20))

    def to_json(self) -> str:
        """What `from_json` reads."""
        base = {item.name: getattr(self.base, item.name) for item in fields(self.base)
                if getattr(self.base, item.name) != item.default}
        return json.dumps({"base": base, "axes": self.axes, "replicates": self.replicates}, indent=2)


def _no_field(name: str) -> str:
    return f"{name}: must be a field of an experiment, one of {', '.join(DEFAULTS)}"


def _plain(name: str, value: object) -> object:
    """JSON's 1 is a number like any other: whole numbers are taken where a field holds a float."""
    if FIELD_TYPES[name] is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if FIELD_TYPES[name] is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _values(name: str, values: object) -> list[Value]:
    if name not in DEFAULTS:
        raise ValueError(_no_field(name))
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray) or not len(values):
        raise ValueError(f"{name}={values!r}: must be a list of at least one value")
    checked = [RULES.checked(name, _plain(name, value)) for value in values]
    return list(dict.fromkeys(checked))  # a value twice would only be computed twice


def _ranged(name: str, values: object) -> object:
    """The values of a range; whole numbers where the field holds these."""
    if not isinstance(values, dict):
        return values
    if name not in DEFAULTS:
        raise ValueError(_no_field(name))
    scale, count = values.get("scale", "linear"), values.get("count")
    ends = [values.get("from"), values.get("to")]
    good = set(values) <= {"from", "to", "count", "scale"} and scale in SCALES and all(
        isinstance(end, int | float) and not isinstance(end, bool) for end in ends)
    if (not good or FIELD_TYPES[name] not in (int, float) or not isinstance(count, int) or not 1 <= count <= MOST_TASKS
            or scale == "log" and min(ends) <= 0):
        raise ValueError(f"{name}={values}: must be a list, or a range of numbers such as "
                         '{"from": 0.01, "to": 1, "count": 9, "scale": "log"}, above 0 on a log scale')
    spread = (np.geomspace if scale == "log" else np.linspace)(*ends, count)
    return [int(value) for value in np.rint(spread)] if FIELD_TYPES[name] is int else spread.tolist()


class Prediction(NamedTuple):
    """Of a whole grid, one task after the other; bytes are those of the largest task."""

    tasks: int
    seconds: float
    bytes: int


def predicted(grid: Grid) -> Prediction:
    """What the grid will take; tasks that are impossible take nothing."""
    costs = [found for task in grid.tasks() if (found := cost_of(task)) is not None]
    return Prediction(len(grid), MEASURING * sum(each.seconds for each in costs),
                      max((each.bytes for each in costs), default=0))


def cost_of(task: Task):
    """The task's Cost, or None where its fields are impossible together."""
    try:
        return cost(Experiment(**task.fields), task.replicates)
    except ValueError:
        return None


def largest_fitting(grid: Grid, seconds: float) -> Grid | None:
    """The grid with fewer seeds, then with fewer values on its longest axes, ends kept, that is predicted to take at
    most `seconds`; None where none does. The grid itself where it fits."""
    while predicted(grid).seconds > seconds:
        longest = max(grid.axes, key=lambda name: len(grid.axes[name]), default=None)
        if grid.replicates > FEWEST_SEEDS:
            grid = replace(grid, replicates=max(FEWEST_SEEDS, grid.replicates // 2))
        elif longest is not None and len(grid.axes[longest]) > 2:
            values = grid.axes[longest]
            kept = np.unique(np.linspace(0, len(values) - 1, max(2, 2 * len(values) // 3)).round().astype(int))
            grid = replace(grid, axes=grid.axes | {longest: [values[k] for k in kept]})
        elif grid.replicates > 1:
            grid = replace(grid, replicates=1)
        else:
            return None
    return grid
