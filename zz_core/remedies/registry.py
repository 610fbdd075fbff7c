"""The remedies: for each what it changes, what it costs, and how much work a step of it is."""
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from zz_core.experiment import Experiment, ignored_fields
from zz_core.specs import Value
from zz_core.treatments import TREATMENTS

Count = Callable[[int, int, int], float]
LARGER = 16  # how many times larger the larger batch is
BASE = {"treatment": "none", "optimizer": "sgd", "schedule": "constant"}  # what each remedy starts from


def _descent(rows: int, batch: int, parameters: int) -> float:
    """The outputs and the gradient of a batch, and one update: 2 B P + P."""
    return 2 * batch * parameters + parameters


def _plus(per_sample: float = 0, per_update: float = 0) -> Count:
    """Descent, and so many operations more for each input of each sample and for each parameter."""
    return lambda rows, batch, parameters: (_descent(rows, batch, parameters) + per_sample * batch * parameters
                                            + per_update * parameters)


def _nothing_before(rows: int, batch: int, parameters: int) -> float:
    return 0.0


def _applies(experiment: Experiment) -> str:
    return ""


def _same(eigenvalues: np.ndarray, experiment: Experiment) -> np.ndarray:
    return eigenvalues


@dataclass(frozen=True)
class Remedy:
    """One way to mend the zig-zag, as changes to an experiment.

    changes: fields of Experiment and their values, or functions of the experiment. operations(N, B, P) counts the
    multiply-adds of a step, setup(N, B, P) those needed once in advance (P parameters: D, and one for a bias).
    passes: forward-and-backward passes of a step, for each sample of its batch. seen(eigenvalues, experiment): the
    curvatures as its steps meet them. why_not(experiment) says why it cannot be used there, stuck(experiment)
    why it never moves there; both are empty where all is well.
    """

    key: str
    label: str
    changes: Mapping[str, Value | Callable[[Experiment], Value]]
    what_it_changes: str
    what_it_costs: str
    operations: Count = _descent
    setup: Count = _nothing_before
    passes: float = 1.0
    seen: Callable[[np.ndarray, Experiment], np.ndarray] = _same
    why_not: Callable[[Experiment], str] = _applies
    stuck: Callable[[Experiment], str] = _applies


def lane_experiment(experiment: Experiment, remedy: Remedy) -> Experiment:
    """The experiment with this remedy alone; ValueError where they are impossible together."""
    base = replace(experiment, **BASE)
    return replace(base, **{name: value(base) if callable(value) else value for name, value in remedy.changes.items()})


def why_left_out(experiment: Experiment, remedy: Remedy) -> str:
    """Why the remedy cannot be raced on this experiment, or nothing."""
    reason = remedy.why_not(experiment)
    if reason:
        return reason
    try:
        lane_experiment(experiment, remedy)
    except ValueError as error:
        return str(error).partition(": ")[2] or str(error)
    return ""


def _needs_activation(activation: str) -> Callable[[Experiment], str]:
    def why_not(experiment: Experiment) -> str:
        if experiment.activation == activation and "activation" not in ignored_fields(experiment):
            return "the inputs have this activation already"
        return "these inputs come without an activation" if "activation" in ignored_fields(experiment) else ""

    return why_not


def _newton_sees(eigenvalues: np.ndarray, experiment: Experiment) -> np.ndarray:
    """All alike, once the batch is large enough to have curvature in all directions."""
    if experiment.batch_size < len(eigenvalues):
        return eigenvalues
    return np.where(eigenvalues > 0, 1.0, 0.0)


def _damped_newton_sees(eigenvalues: np.ndarray, experiment: Experiment) -> np.ndarray:
    if experiment.batch_size < len(eigenvalues):
        return eigenvalues
    return eigenvalues / (eigenvalues + experiment.damping)


def _treatment(key: str, label: str, changes: str, costs: str, **more) -> Remedy:
    assert key in TREATMENTS
    return Remedy(key, label, {"treatment": key}, changes, costs, **more)


_ALL = (
    Remedy("nothing", "Nothing", {},
           "Plain descent on the inputs as they are.",
           "Nothing, except that the mean's steep direction sets the rate for all others."),
    _treatment("center", "Zero-centering",
               "Subtracts each feature's mean, and with it the one eigenvalue that the mean makes.",
               "One pass over the data in advance. Without a bias the targets have to be centered too, and features "
               "that are correlated or of different spread stay as they are.",
               setup=lambda n, b, p: 2 * n * p),
    _treatment("standardize", "Standardizing",
               "Subtracts the mean and divides by the spread, feature by feature.",
               "Two passes over the data in advance. Rare features are blown up, and single samples that have them "
               "force a small rate.",
               setup=lambda n, b, p: 4 * n * p),
    _treatment("whiten", "Whitening",
               "Turns and scales the inputs until they are uncorrelated with unit spread: κ = 1.",
               "A covariance, its eigenvectors and a matrix product for every sample, in advance. Directions that "
               "hardly vary come out as loud as the others, noise included.",
               setup=lambda n, b, p: 2 * n * p + 2 * n * p * p + 10 * p**3),
    Remedy("tanh", "tanh", {"activation": "tanh"},
           "The layer before sends values around zero, not around a half, and with four times the slope.",
           "Nothing to compute. Its features are other ones, and centered only while the values before it are.",
           why_not=_needs_activation("tanh")),
    Remedy("centered_sigmoid", "Sigmoid − ½", {"activation": "centered_sigmoid"},
           "The sigmoid moved down by a half: the same slope, outputs around zero.",
           "Nothing to compute. It is centered only while the values before it are.",
           why_not=_needs_activation("centered_sigmoid")),
    _treatment("batch_norm", "Batch norm",
               "Subtracts each batch's own mean and divides by its spread.",
               "A few operations for every input, and a batch to take the mean of: on single samples nothing is left. "
               "Batches disagree a little about the inputs, so a small loss may remain.",
               operations=_plus(per_sample=5),
               stuck=lambda experiment: "a single sample is its own mean" if experiment.batch_size == 1 else ""),
    _treatment("layer_norm", "Layer norm",
               "Subtracts from each sample the mean of its own features: the components of a gradient sum to zero.",
               "A few operations for every input, and whatever the target has along the diagonal can never be "
               "learned.",
               operations=_plus(per_sample=5)),
    _treatment("rms_norm", "RMS norm",
               "Scales each sample to unit size: long and short samples step alike.",
               "A few operations for every input. Nothing is centered: what was positive stays positive.",
               operations=_plus(per_sample=3)),
    _treatment("input_bias", "Bias per input",
               "Each input gets an offset that is learned, f = Σ wᵢ(xᵢ + bᵢ), which could become minus its mean.",
               "Twice the parameters. The offsets follow the mean residual, not the inputs' mean, so they do not "
               "center.",
               operations=_plus(per_update=4)),
    Remedy("bias", "Ordinary bias", {"bias": True},
           "One more weight, on an input that is always 1: the offset need not come from the inputs' mean.",
           "One parameter. Beside a mean the constant 1 is almost the same direction again, so κ grows.",
           why_not=lambda experiment: "the neuron learns a bias already" if experiment.bias else ""),
    Remedy("momentum", "Momentum", {"optimizer": "momentum"},
           "Adds up past steps: what goes to and fro cancels, what goes on along the valley grows.",
           "A buffer as large as the weights, and a second number to choose. The stable rate falls with it on "
           "single samples.",
           operations=_plus(per_update=1)),
    Remedy("nesterov", "Nesterov", {"optimizer": "nesterov"},
           "Momentum that looks one step ahead, which damps its overshooting.",
           "A buffer as large as the weights, and a second number to choose.",
           operations=_plus(per_update=2)),
    Remedy("rmsprop", "RMSprop", {"optimizer": "rmsprop"},
           "Divides each weight's step by the size of its past gradients.",
           "A buffer as large as the weights. A factor per weight cannot undo a direction that all weights share, "
           "and at a constant rate it keeps jittering.",
           operations=_plus(per_update=4)),
    Remedy("adam", "Adam", {"optimizer": "adam"},
           "Momentum, with each weight's step divided by the size of its past gradients.",
           "Two buffers as large as the weights. Its first step goes along the diagonal whenever the gradient has "
           "one sign, and steps do not shrink with the gradient.",
           operations=_plus(per_update=8)),
    Remedy("line_search", "Exact line search", {"optimizer": "steepest_descent"},
           "Goes down the batch's gradient exactly as far as the batch's loss falls: no rate to choose.",
           "Half a pass more. On small batches it fits each batch alone; on the full one each step is at a right "
           "angle to the last.",
           operations=lambda n, b, p: 3 * b * p + 2 * b + 2 * p, passes=1.5),
    Remedy("gauss_newton", "Gauss-Newton", {"optimizer": "gauss_newton"},
           "Multiplies the gradient with the inverse of the batch's curvature: on the full batch all directions are "
           "alike.",
           "A P x P matrix of every batch and its inverse at every step. With fewer samples than weights it fits each "
           "batch exactly, still along its samples.",
           operations=lambda n, b, p: _descent(n, b, p) + b * p * p + 10 * p**3, seen=_newton_sees),
    Remedy("levenberg_marquardt", "Levenberg-Marquardt", {"optimizer": "levenberg_marquardt"},
           "Gauss-Newton with a constant added to every curvature: flat directions are not trusted all the way.",
           "A P x P system for every step, and the damping to choose.",
           operations=lambda n, b, p: _descent(n, b, p) + b * p * p + p**3 / 3 + 2 * p * p, seen=_damped_newton_sees),
    Remedy("decaying_rate", "Decaying rate", {"schedule": "inverse_sqrt"},
           "Starts fast and slows down as 1/√step: the jitter of single samples dies out.",
           "Nothing to compute. The narrow valley stays as it is, and its end is walked ever more slowly."),
    Remedy("larger_batch", f"Batch x {LARGER}",
           {"batch_size": lambda experiment: min(LARGER * experiment.batch_size, experiment.rows)},
           "Averages over more samples: signs may differ, and the noise of single samples is gone.",
           f"Up to {LARGER} times the samples for every step. No batch size changes κ.",
           why_not=lambda experiment: "every step uses all samples already" if experiment.full_batch else ""),
)
REMEDIES: dict[str, Remedy] = {remedy.key: remedy for remedy in _ALL}
DEFAULT_LANES = ("nothing", "center", "whiten", "tanh", "batch_norm", "input_bias", "momentum", "adam",
                 "gauss_newton", "larger_batch")
