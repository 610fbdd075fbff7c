"""Which experiments a sweep runs."""
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import islice, product
from numbers import Integral

import numpy as np

import zz_core
from zz_core.experiment import DEFAULTS, FIELD_TYPES, RULES, Experiment
from zz_core.specs import Value
from zz_core.sweep.task import Task

MOST_TASKS, MOST_REPLICATES = 100_000, 10_000
SCALES = ("linear", "log")
DTYPES = ("float64", "float32")
PARTS = ("base", "axes", "replicates", "dtype")
TRIED = 1000  # points that are tried to make sense of a base that is impossible alone


@dataclass(frozen=True)
class Grid:
    """Every combination of the axes' values, each in place of the base's field, `replicates` seeds each.

    dtype="float32" halves the memory of the runs, for an error as `simulate` states it; excess losses below about
    1e-11 of the start's are rounding then.

    ValueError names a field that is none, or a value that it does not allow. Values that are allowed alone and
    impossible together are no error: their rows say what is wrong with them.
    """

    base: Experiment = field(default_factory=Experiment)
    axes: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    replicates: int = 20
    dtype: str = "float64"

    def __post_init__(self) -> None:
        if not isinstance(self.axes, Mapping):
            raise ValueError(f"axes={self.axes!r}: must name fields with their values")
        object.__setattr__(self, "axes", {name: _values(name, values) for name, values in self.axes.items()})
        count = self.replicates
        if isinstance(count, bool) or not isinstance(count, Integral) or not 1 <= count <= MOST_REPLICATES:
            raise ValueError(f"replicates={count}: must be a whole number in [1, {MOST_REPLICATES}]")
        object.__setattr__(self, "replicates", int(count))
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype={self.dtype}: must be one of {', '.join(DTYPES)}")
        if len(self) > MOST_TASKS:
            raise ValueError(f"axes: must make at most {MOST_TASKS:,} combinations, not {len(self):,}")

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.axes.values())

    def points(self) -> Iterator[dict[str, Value]]:
        """The axes' fields of every task; the last axis turns fastest."""
        return _points(self.axes)

    def tasks(self) -> list[Task]:
        spec = asdict(self.base)
        return [Task(index, spec | point, self.replicates, tuple(point), self.dtype, zz_core.__version__)
                for index, point in enumerate(self.points())]

    @classmethod
    def from_json(cls, text: str) -> "Grid":
        """{"base": {field: value}, "axes": {field: [values]}, "replicates": 20}; an axis may also be {"from": 0.01,
        "to": 1, "count": 9, "scale": "log"}. ValueError says what is wrong with it."""
        try:
            found = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {error.lineno}, column {error.colno}: must be JSON; {error.msg}") from None
        except (ValueError, RecursionError) as error:  # a number of too many digits, lists in lists in lists
            raise ValueError(f"grid: must be JSON of moderate size; {error}") from None
        if not isinstance(found, dict) or set(found) - set(PARTS):
            extra = sorted(set(found) - set(PARTS)) if isinstance(found, dict) else type(found).__name__
            raise ValueError(f"grid: must hold base, axes, replicates and dtype and nothing else, not {extra}")
        base, axes = found.pop("base", {}), found.pop("axes", {})
        for name, part in (("base", base), ("axes", axes)):
            if not isinstance(part, dict):
                raise ValueError(f"{name}={part!r}: must name fields with their values")
            for key in part:
                _check_field(key)
        axes = {name: _values(name, _ranged(name, values)) for name, values in axes.items()}
        return cls(_base({name: _checked(name, value) for name, value in base.items()}, axes), axes, **found)

    def to_json(self) -> str:
        """What `from_json` reads."""
        base = {item.name: getattr(self.base, item.name) for item in fields(self.base)
                if getattr(self.base, item.name) != item.default}
        precision = {} if self.dtype == "float64" else {"dtype": self.dtype}
        return json.dumps({"base": base, "axes": self.axes, "replicates": self.replicates, **precision}, indent=2)


def _points(axes: Mapping[str, Sequence[Value]]) -> Iterator[dict[str, Value]]:
    return (dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


def _base(given: dict[str, Value], axes: Mapping[str, Sequence[Value]]) -> Experiment:
    """The given fields with the defaults for the rest; where that is impossible, as a batch of 512 is beside the
    default's 256 samples, with the fields of the first of the axes' points that makes it possible."""
    try:
        return Experiment(**given)
    except ValueError:
        for point in islice(_points(axes), TRIED):
            try:
                return Experiment(**given | point)
            except ValueError:
                continue
        raise


def _check_field(name: str) -> None:
    if name not in DEFAULTS:
        raise ValueError(f"{name}: must be a field of an experiment, one of {', '.join(DEFAULTS)}")


def _checked(name: str, value: object) -> Value:
    """JSON's 1 and 1.0 are the same number: each is taken where a field holds the other."""
    if FIELD_TYPES[name] is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    return RULES.checked(name, value)


def _values(name: str, values: object) -> list[Value]:
    _check_field(name)
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray) or not len(values):
        raise ValueError(f"{name}={values!r}: must be a list of at least one value")
    return list(dict.fromkeys(_checked(name, value) for value in values))  # a value twice would only be computed twice


def _ranged(name: str, values: object) -> object:
    """The values of a range; whole numbers where the field holds these."""
    if not isinstance(values, dict):
        return values
    scale, count, ends = values.get("scale", "linear"), values.get("count"), (values.get("from"), values.get("to"))
    if (set(values) - {"from", "to", "count", "scale"} or scale not in SCALES or FIELD_TYPES[name] not in (int, float)
            or not _is_number(count) or count != int(count) or not 1 <= count <= MOST_TASKS
            or not all(map(_is_number, ends)) or scale == "log" and min(ends) <= 0):
        raise ValueError(f"{name}={values}: must be a list, or a range of numbers such as "
                         '{"from": 0.01, "to": 1, "count": 9, "scale": "log"}, above 0 on a log scale')
    low, high = (_checked(name, end) for end in ends)
    spread = (np.geomspace if scale == "log" else np.linspace)(low, high, int(count))
    return [int(value) for value in np.rint(spread)] if FIELD_TYPES[name] is int else spread.clip(
        min(low, high), max(low, high)).tolist()  # rounding may pass an end that is the last value allowed


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
