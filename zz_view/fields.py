"""The sidebar's table: for each field of Experiment its place, its steps, and what it does to the zig-zag in words."""
from collections.abc import Mapping
from functools import cache

from zz_core.activations import ACTIVATIONS
from zz_core.experiment import BOUNDS, CHOICES, FIELD_TYPES
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES
from zz_core.optimizers import OPTIMIZERS
from zz_core.treatments import TREATMENTS

COMMON = (("inputs",), ("activation",), ("treatment",), ("dimensions", "batch_size"), ("learning_rate",),
          ("optimizer",), ("steps", "seed"), ("target_angle",))  # rows of the sidebar
FOLDED = {
    "More about the inputs": (("input_mean",), ("input_std",), ("samples",), ("data_seed",)),
    "More about the task": (("target",), ("loss",), ("distance",), ("noise",), ("bias",), ("start_bias",),
                            ("start_along", "start_across")),
    "More about the training": (("rate_unit",), ("schedule",), ("sampling",), ("momentum",), ("decay",), ("damping",)),
}

# lowest, highest, step: what one drags. Outside of it, or between two steps, a value is typed.
TRACKS: dict[str, tuple[float, float, float]] = {
    "learning_rate": (0.01, 2.0, 0.01),
    "target_angle": (0.0, 360.0, 5.0),
    "input_mean": (-5.0, 5.0, 0.25),
    "momentum": (0.0, 0.99, 0.01),
}
TYPED_STEPS: dict[str, int | float] = {  # of the + and - beside a number that is typed; 1 where none is given
    "input_mean": 0.25, "input_std": 0.25, "samples": 16, "target_angle": 5.0, "distance": 0.5, "noise": 0.1,
    "start_bias": 0.5, "start_along": 0.5, "start_across": 0.5,
    "learning_rate": 0.05, "momentum": 0.05, "decay": 0.01, "damping": 0.1, "steps": 100,
}
_LABELS: dict[str, Mapping] = {"inputs": INPUTS, "activation": ACTIVATIONS, "treatment": TREATMENTS, "loss": LOSSES,
                               "optimizer": OPTIMIZERS}

HELP: dict[str, str] = {
    "inputs": "Where the inputs come from. If all are positive, one sample pushes all weights the same way; that alone "
              "does not make training slow: one-hot inputs are positive and train fast.",
    "activation": "What the layer before the neuron does to its raw values. Sigmoid makes all inputs positive, tanh "
                  "spreads them around zero, ReLU leaves them a positive mean.",
    "dimensions": "How many weights learn. The more there are, the steeper the mean's direction beside all others: "
                  "κ = 1 + D·m²/v for independent inputs of mean m and variance v.",
    "treatment": "What is done to the inputs before the neuron sees them. Whatever subtracts each feature's mean "
                 "removes the steep direction; scaling alone does not. Batches that normalize themselves disagree a "
                 "little about the task, so batch_norm runs settle at a small loss of their own.",
    "batch_size": "Samples averaged in each step. A single one moves all weights the same way if its inputs are "
                  "positive. Averaging lets signs differ; the valley stays as narrow. As many as there are samples is "
                  "the full batch.",
    "learning_rate": "How far a step goes. As a fraction of the stability limit it means the same to raw and to "
                     "zero-centered inputs; above a half, steps begin to overshoot and come back.",
    "steps": "How many updates the run makes. Across the mean, raw inputs need about κ times as many as along it.",
    "seed": "Which samples are drawn, in which order. One path is an anecdote: try a few seeds before you believe it.",
    "optimizer": "The update rule. Momentum averages over steps, RMSprop and Adam rescale each weight, Gauss-Newton "
                 "and Levenberg-Marquardt use curvature. From one all-positive sample, the first step of every one of "
                 "them still moves all weights the same way.",
    "target_angle": "Where the target lies, in degrees from the direction of the inputs' mean: 0 is straight along it "
                    "(north-east), 90 across it (north-west), which steps of one sign reach only by zig-zag.",
    "input_mean": "Mean of the raw values, before the activation. The larger the inputs' mean beside their spread, the "
                  "narrower the cone of steps that samples allow, and the steeper the mean's direction.",
    "input_std": "Spread of the raw values, before the activation. More spread beside the same mean makes the valley "
                 "rounder and the zig-zag milder.",
    "samples": "Size of the data set. A batch of this size is the full batch: no draws, no jitter.",
    "data_seed": "Which data set is drawn. The other seed only decides how its samples are used.",
    "target": "What to learn: the outputs of a teacher, whose weights are the known optimum, or the data's own classes "
              "(1 for the first class, else 0).",
    "distance": "How far the target is from the start. Plain descent on the squared loss without noise draws the same "
                "picture at any distance.",
    "noise": "Standard deviation of the noise in the targets. Near the target samples then disagree, and small batches "
             "keep jittering there.",
    "bias": "Learn an ordinary bias too. It is one more input that is always 1, and beside a mean in the inputs it "
            "makes the valley narrower still.",
    "start_bias": "Where the bias starts. Far from zero, a sigmoid output saturates: a long wait, but no zig-zag.",
    "start_along": "Where the weights start, measured along the inputs' mean (north-east). The target keeps its way "
                   "from the start: both move together. On the planes you can drag either of them alone.",
    "start_across": "Where the weights start, measured across the inputs' mean (north-west).",
    "loss": "What is minimized. Its slope ∂L/∂f is one number per sample that all weights share; the inputs' signs "
            "do the rest.",
    "rate_unit": "critical: the rate is a fraction of the stability limit, so that raw and zero-centered inputs "
                 "compare fairly. absolute: it is the rate itself.",
    "momentum": "How much of the last step is kept (Adam's first beta). It evens out steps that go back and forth, "
                "and can swing past the target by itself.",
    "decay": "How slowly RMSprop and Adam forget old squared gradients (Adam's second beta). A factor per weight "
             "cannot undo a steep direction that all weights share.",
    "damping": "Of Levenberg-Marquardt. Near 0 it steps like Gauss-Newton; large, like gradient descent with rate "
               "1/damping.",
    "sampling": "replacement draws every batch anew. epoch uses each sample once before any comes back, which evens "
                "out the jitter.",
    "schedule": "How the rate falls during the run. A falling rate calms overshoot and jitter at the end; narrow "
                "valleys then take longer still.",
}


def label(name: str) -> str:
    """The field's name as it stands beside its control; those of a page with controls of its own carry a prefix in the
    URL."""
    return name.removeprefix("net_").removeprefix("own_").replace("_", " ").capitalize()


@cache
def help_text(name: str, ignored_because: str | None = None) -> str:
    """What a field does, what its options are, and why it does nothing at the moment."""
    parts = [HELP[name]]
    if name in _LABELS:
        parts.append("\n".join(f"- `{key}`: {_LABELS[name][key].label}" for key in CHOICES[name]))
    if name in BOUNDS:
        low, high = BOUNDS[name]
        parts.append(f"From {low:g} to {high:.10g}.")
    if ignored_because:
        parts.insert(0, f"**Not used now.** {ignored_because}.")
    return "\n\n".join(parts)


def on_track(name: str, value: float) -> bool:
    """Whether a slider can show this value exactly."""
    low, high, step = TRACKS[name]
    position = (value - low) / step
    return low <= value <= high and abs(position - round(position)) < 1e-6


def typed_step(name: str) -> int | float:
    return FIELD_TYPES[name](TYPED_STEPS.get(name, 1))
