"""NetworkExperiment: one frozen record that says a whole training run of a network, its bounds, and its URL query."""
from collections.abc import Mapping
from dataclasses import dataclass, fields

from zz_core.activations import ACTIVATIONS
from zz_core.network.data import SOURCES, training_rows
from zz_core.specs import Rules, Value, written

PREFIX = "net_"  # of the URL keys, for some fields share their names with those of Experiment
CHOICES: dict[str, tuple[str, ...]] = {
    "data": tuple(SOURCES),
    "activation": tuple(ACTIVATIONS),
    "normalization": ("none", "batch_norm", "layer_norm"),
    "normalization_place": ("before", "after"),
    "loss": ("cross_entropy", "squared"),
    "initialization": ("xavier", "he", "plain"),
    "treatment": ("none", "center", "standardize"),
    "optimizer": ("sgd", "momentum", "nesterov", "rmsprop", "adam"),
}
# smallest and largest value allowed, both included
BOUNDS: dict[str, tuple[float, float]] = {
    "samples": (8, 4096),
    "shift": (-100.0, 100.0),
    "learning_rate": (1e-5, 10.0),
    "momentum": (0.0, 0.9999),
    "decay": (0.0, 0.99999),
    "batch_size": (1, 4096),
    "steps": (1, 100000),
    "seed": (0, 2**31 - 1),
    "data_seed": (0, 2**31 - 1),
}
MAX_LAYERS, MAX_WIDTH = 6, 256


@dataclass(frozen=True)
class NetworkExperiment:
    """Everything that decides a training run of a network; see BOUNDS and CHOICES for what each field allows.

    Validated when made: ValueError names the field, its value and what is allowed. Fields that do not apply (`affine`
    without a normalization, `momentum` of plain descent, `samples` of real data) are ignored.
    """

    data: str = "digits"
    samples: int = 400  # rows of generated data, those held out included
    treatment: str = "standardize"  # of the inputs, with the mean and the spread of the training rows
    shift: float = 0.0  # added to every treated input, in units of its standard deviation
    layers: str = "32-32"  # widths of the hidden layers; "" for none
    activation: str = "sigmoid"
    normalization: str = "none"
    normalization_place: str = "before"  # before or after the activation
    affine: bool = True  # the normalization learns a scale and an offset per unit
    loss: str = "cross_entropy"  # softmax cross-entropy, or ½ Σ (output - target)² with one-hot targets
    initialization: str = "xavier"
    optimizer: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9  # also Adam's first beta
    decay: float = 0.999  # RMSprop's alpha, Adam's second beta
    batch_size: int = 32
    steps: int = 1000
    seed: int = 0  # the start, and which rows in which order
    data_seed: int = 0  # generated data, and which rows are held out

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, _checked(field.name, getattr(self, field.name)))
        rows = training_rows(SOURCES[self.data].rows(self.samples))
        if self.batch_size > rows:
            raise ValueError(f"batch_size={self.batch_size}: must be at most {rows}, the number of training rows")
        if self.normalization == "layer_norm" and 1 in self.widths:
            raise ValueError(f"layers={self.layers}: must be widths of at least 2 for normalization=layer_norm, "
                             "which leaves nothing of one unit")

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths of the hidden layers."""
        return tuple(int(width) for width in self.layers.split("-") if width)

    def to_query(self) -> dict[str, str]:
        """The fields that differ from their defaults, as strings for a URL query, each key with its prefix."""
        return {PREFIX + field.name: written(getattr(self, field.name)) for field in fields(self)
                if getattr(self, field.name) != field.default}

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "NetworkExperiment":
        """The experiment of a URL query; other keys are left to their owners. ValueError as on construction."""
        return cls(**{field.name: parse(field.name, query[PREFIX + field.name]) for field in fields(cls)
                      if PREFIX + field.name in query})


FIELD_TYPES: dict[str, type] = {field.name: type(field.default) for field in fields(NetworkExperiment)}
DEFAULTS: dict[str, Value] = {field.name: field.default for field in fields(NetworkExperiment)}
RULES = Rules(FIELD_TYPES, CHOICES, BOUNDS)


def parse(name: str, text: str) -> Value:
    """The value of field `name` written as `text` in a URL; ValueError where it is not one."""
    return _checked_layers(text) if name == "layers" else RULES.parsed(name, text)


def _checked(name: str, value: object) -> Value:
    return _checked_layers(value) if name == "layers" else RULES.checked(name, value)


def _checked_layers(value: object) -> str:
    """The widths without leading zeros, so that equal networks hash equal."""
    parts = value.split("-") if isinstance(value, str) and value else []
    # int() takes more than digits, signs and underscores among it
    good = isinstance(value, str) and all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts)
    widths = [int(part) for part in parts] if good else []
    if not good or len(widths) > MAX_LAYERS or not all(1 <= width <= MAX_WIDTH for width in widths):
        raise ValueError(f"layers={value}: must be at most {MAX_LAYERS} whole numbers in [1, {MAX_WIDTH}] "
                         "joined by hyphens, such as 32-32, or empty for no hidden layer")
    return "-".join(str(width) for width in widths)
