"""Experiment: one frozen record that says a whole training run, its bounds, and its form as a URL query."""
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

from zz_core.activations import ACTIVATIONS
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES
from zz_core.optimizers import OPTIMIZERS
from zz_core.schedules import SCHEDULES
from zz_core.specs import Rules, Value, written
from zz_core.treatments import TREATMENTS

CHOICES: dict[str, tuple[str, ...]] = {
    "inputs": tuple(INPUTS),
    "activation": tuple(ACTIVATIONS),
    "treatment": tuple(TREATMENTS),
    "target": ("teacher", "labels"),
    "loss": tuple(LOSSES),
    "optimizer": tuple(OPTIMIZERS),
    "rate_unit": ("critical", "absolute"),
    "sampling": ("replacement", "epoch"),
    "schedule": tuple(SCHEDULES),
}
# smallest and largest value allowed, both included
BOUNDS: dict[str, tuple[float, float]] = {
    "input_mean": (-100.0, 100.0),
    "input_std": (0.001, 100.0),
    "dimensions": (1, 1024),
    "samples": (2, 65536),
    "target_angle": (0.0, 360.0),
    "distance": (0.0, 100.0),
    "noise": (0.0, 100.0),
    "start_bias": (-100.0, 100.0),
    "start_along": (-100.0, 100.0),
    "start_across": (-100.0, 100.0),
    "learning_rate": (0.0001, 10.0),
    "momentum": (0.0, 0.9999),
    "decay": (0.0, 0.99999),
    "damping": (1e-6, 1000.0),
    "batch_size": (1, 65536),
    "steps": (1, 100000),
    "seed": (0, 2**31 - 1),
    "data_seed": (0, 2**31 - 1),
}
MAX_DATA_VALUES = 2**25  # inputs of 256 MiB


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a training run of one neuron; see BOUNDS and CHOICES for what each field allows.

    Validated when made: ValueError names the field, its value and what is allowed. Fields that do not apply to the
    chosen inputs, loss or optimizer are ignored (`ignored_fields` names them and says why). Angles are in degrees,
    `noise` is a standard deviation, `learning_rate` a fraction of the stability limit (rate_unit="critical") or the
    rate itself (rate_unit="absolute").
    """

    inputs: str = "gaussian"
    activation: str = "sigmoid"  # of the layer before the neuron; gaussian, uniform and exponential inputs only
    input_mean: float = 0.0  # of the raw values, before the activation
    input_std: float = 1.0  # of the raw values, before the activation
    dimensions: int = 2
    samples: int = 256
    treatment: str = "none"
    target: str = "teacher"
    target_angle: float = 90.0  # degrees between w* - w0 and the mean direction: 0 north-east, 90 north-west
    distance: float = 2.0  # length of w* - w0
    noise: float = 0.0  # standard deviation of the targets' noise
    bias: bool = False  # learn an ordinary bias
    start_bias: float = 0.0
    start_along: float = 0.0  # w0 along the mean direction, and across it in the direction of an angle of 90
    start_across: float = 0.0
    loss: str = "squared"
    optimizer: str = "sgd"
    learning_rate: float = 0.25
    rate_unit: str = "critical"
    momentum: float = 0.9  # also Adam's first beta
    decay: float = 0.999  # RMSprop's alpha, Adam's second beta
    damping: float = 0.1  # of Levenberg-Marquardt
    batch_size: int = 1
    sampling: str = "replacement"
    schedule: str = "constant"
    steps: int = 200
    seed: int = 0  # which samples, in which order
    data_seed: int = 0  # the data set itself

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, RULES.checked(name, value))
        _check_together(self)

    @property
    def rows(self) -> int:
        """N, the number of samples in the data set."""
        return INPUTS[self.inputs].rows(self.samples, self.dimensions)

    @property
    def full_batch(self) -> bool:
        return self.batch_size == self.rows

    @property
    def uses_labels(self) -> bool:
        """Whether the targets are the data's own labels; synthetic inputs have none and take the teacher's."""
        return self.target == "labels" and INPUTS[self.inputs].real

    def to_query(self) -> dict[str, str]:
        """The fields that differ from their defaults, as strings for a URL query."""
        return {field.name: written(getattr(self, field.name)) for field in fields(self)
                if getattr(self, field.name) != field.default}

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "Experiment":
        """The experiment of a URL query; other keys are left to their owners. ValueError as on construction."""
        return cls(**{field.name: parse(field.name, query[field.name]) for field in fields(cls) if field.name in query})


FIELD_TYPES: dict[str, type] = {field.name: type(field.default) for field in fields(Experiment)}
DEFAULTS: dict[str, Value] = {field.name: field.default for field in fields(Experiment)}
RULES = Rules(FIELD_TYPES, CHOICES, BOUNDS)
parse = RULES.parsed


def _check_together(experiment: Experiment) -> None:
    """Refuse fields that are valid alone and impossible together."""
    source, rows, dimensions = INPUTS[experiment.inputs], experiment.rows, experiment.dimensions
    if dimensions > source.max_dimensions:
        raise ValueError(f"dimensions={dimensions}: must lie in [1, {source.max_dimensions}] "
                         f"for inputs={experiment.inputs}")
    if rows < 2:
        raise ValueError(f"samples={experiment.samples}: must be at least {max(2, dimensions)} "
                         f"for inputs={experiment.inputs} with dimensions={dimensions}")
    if rows * dimensions > MAX_DATA_VALUES:
        raise ValueError(f"samples={experiment.samples}: must be at most {MAX_DATA_VALUES // dimensions} "
                         f"with dimensions={dimensions}")
    if experiment.batch_size > rows:
        raise ValueError(f"batch_size={experiment.batch_size}: must be at most {rows}, the number of samples")
    if dimensions == 1 and not experiment.uses_labels and experiment.target_angle not in (0.0, 180.0):
        raise ValueError(f"target_angle={experiment.target_angle:g}: must be 0 or 180 with dimensions=1")
    if dimensions == 1 and experiment.treatment == "layer_norm":
        raise ValueError("dimensions=1: must be at least 2 for treatment=layer_norm, "
                         "which leaves nothing of one feature")
    if experiment.noise > 0 and not experiment.uses_labels and rows <= dimensions + 1:
        raise ValueError(f"noise={experiment.noise:g}: must be 0 unless there are more than {dimensions + 1} samples, "
                         "or no noise is left beside a perfect fit")


def ignored_fields(experiment: Experiment) -> dict[str, str]:
    """The fields that do not matter to this experiment, each with the reason in words."""
    source, optimizer, ignored = INPUTS[experiment.inputs], OPTIMIZERS[experiment.optimizer], {}
    if not source.activated:
        reason = f"{source.label} inputs are used as they are"
        ignored |= {"activation": reason, "input_mean": reason, "input_std": reason}
    if experiment.inputs == "factorial":
        ignored["samples"] = "The factorial design has 2^dimensions samples"
    if not source.real:
        ignored["target"] = "Only real data have labels"
    if experiment.inputs in ("factorial", "one_hot"):
        if experiment.noise == 0:
            ignored["data_seed"] = f"{source.label} inputs hold no randomness"
    if experiment.uses_labels:
        reason = "The targets are the data's own labels"
        ignored |= {"target_angle": reason, "distance": reason, "noise": reason}
    if experiment.dimensions == 1:
        ignored["start_across"] = "One weight has no direction across the mean"
    if not experiment.bias:
        ignored["start_bias"] = "No bias is learned"
    for name in ("learning_rate", "rate_unit", "schedule", "momentum", "decay", "damping"):
        if name not in optimizer.uses:
            ignored[name] = f"{optimizer.label} does not use it"
    if experiment.full_batch:
        reason = "The full batch uses every sample at each step"
        ignored |= {"seed": reason, "sampling": reason}
    return ignored


def log2_options(largest: int) -> list[int]:
    """1, 2, 4, ... and `largest` itself: the batch sizes that a logarithmic axis shows."""
    powers = [2**k for k in range(int(math.log2(largest)) + 1)]
    return powers if powers[-1] == largest else [*powers, largest]
