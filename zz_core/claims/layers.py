"""Claims about the activation before the neuron, and about later layers of a network."""
from dataclasses import replace

import numpy as np

from zz_core.claims.claim import (
    MATTERS,
    Claim,
    Experiments,
    Measured,
    median_interval,
    over_seeds,
    per_seed,
    steps_to_goal,
)
from zz_core.experiment import Experiment
from zz_core.measures import unanimous_by_chance
from zz_core.network import NetworkExperiment, train
from zz_core.network_sweeps import shares_by_batch
from zz_core.theory import activation_moments

SMALL, LARGE = 4, 256  # samples a batch


def price_of_the_mean(experiments: Experiments, seeds: int) -> Measured:
    """Steps raw / steps centered on single samples; beside it with the full batch, and m²/v of the activation."""
    single, full = (per_seed(steps_to_goal, experiments[f"{size}_raw"], seeds)
                    / per_seed(steps_to_goal, experiments[f"{size}_centered"], seeds) for size in ("single", "full"))
    raw = experiments["single_raw"]
    mean, variance = activation_moments(raw.activation, raw.input_std, raw.input_mean)
    low, high = median_interval(full)
    return over_seeds(single, full=float(np.median(full)), full_low=low, full_high=high, ratio=mean**2 / variance)


def _hard(measured: Measured) -> str:
    """Holds where the mean costs steps on single samples and with the full batch, fails where it does in neither."""
    single, full = measured.interval[0] > MATTERS, measured.numbers["full_low"] > MATTERS
    return "holds" if single and full else "conditional" if single or full else "fails"


def preferred(experiments: Experiments, seeds: int) -> Measured:
    """Steps after a sigmoid / after tanh; beside it / after a sigmoid moved down by a half, which keeps its slope."""
    taken = {name: per_seed(steps_to_goal, experiment, seeds) for name, experiment in experiments.items()}
    control = taken["sigmoid"] / taken["control"]
    low, high = median_interval(control)
    return over_seeds(taken["sigmoid"] / taken["tanh"], control=float(np.median(control)), control_low=low,
                      control_high=high)


def _because_centered(measured: Measured) -> str:
    """Holds where tanh is faster and so is the control; conditional where tanh is, but not by its mean."""
    if measured.interval[0] <= MATTERS:
        return "fails"
    return "holds" if measured.numbers["control_low"] > MATTERS else "conditional"


def _second_layer(experiment: NetworkExperiment, seeds: int) -> np.ndarray:
    """Share of the second layer's units whose gradient has one sign, averaged over a short training, (seeds,)."""
    return np.nanmean(train(experiment, seeds).unanimous_rows[..., 1], axis=1)


def later_layers(experiments: Experiments, seeds: int) -> Measured:
    """Share of the second layer's units whose single-sample gradient has one sign; beside it after tanh and ReLU."""
    width = experiments["sigmoid"].widths[0]
    others = {name: float(np.median(_second_layer(experiments[name], seeds))) for name in ("tanh", "relu")}
    return over_seeds(_second_layer(experiments["sigmoid"], seeds), chance=unanimous_by_chance(width), **others)


def _later_layers_shifted(measured: Measured) -> str:
    sigmoid, tanh = measured.interval[0] > 0.5, measured.numbers["tanh"] > 0.5
    return "holds" if sigmoid and tanh else "conditional" if sigmoid or tanh else "fails"


def _by_batch(experiment: NetworkExperiment, seeds: int) -> np.ndarray:
    """Share of unanimous rows of the second layer at the start; batches of 1, SMALL and LARGE samples, (seeds, 3)."""
    found = []
    for seed in range(seeds):
        run = train(replace(experiment, seed=experiment.seed + seed, steps=1))
        shares = shares_by_batch(run, 0, draws=16, seed=seed)
        found.append([shares.unanimous[shares.batch_sizes == size, 1][0] for size in (1, SMALL, LARGE)])
    return np.array(found)


def later_layers_by_batch(experiments: Experiments, seeds: int) -> Measured:
    """Share of the second layer's units with a gradient of one sign, large batches - small ones, at fixed weights."""
    squared, entropy = (_by_batch(experiments[name], seeds) for name in ("squared", "entropy"))
    single, small, large = squared.mean(axis=0)
    return over_seeds(squared[:, 2] - squared[:, 1], single=single, small=small, large=large,
                      entropy_small=entropy[:, 1].mean(), entropy_large=entropy[:, 2].mean(), small_size=SMALL,
                      large_size=LARGE)


def _falls(measured: Measured) -> str:
    low, high = measured.interval
    return "holds" if high < 0 else "fails" if low > 0 else "conditional"


def _race(activation: str) -> dict[str, Experiment]:
    """Raw and centered runs, on single samples and with the full batch, at half of each one's stability limit."""
    raw = Experiment(activation=activation, dimensions=16, samples=512, learning_rate=0.5, steps=1000)
    full = replace(raw, batch_size=512)
    return {"single_raw": raw, "single_centered": replace(raw, treatment="center"),
            "full_raw": full, "full_centered": replace(full, treatment="center")}


SIGMOID, RELU = _race("sigmoid"), _race("relu")
PRICE = {
    "holds": "The mean of its outputs, m²/v = {ratio:.2f}, costs {value:.1f} times the steps on single samples and "
             "{full:.0f} times with the full batch, against the same inputs zero-centered.",
    "conditional": "The mean of its outputs, m²/v = {ratio:.2f}, costs {value:.1f} times the steps on single samples "
                   "and {full:.0f} times with the full batch, against the same inputs zero-centered: it takes large "
                   "batches to notice.",
    "fails": "The mean of its outputs costs {value:.1f} times the steps on single samples and {full:.1f} times with "
             "the full batch."}
DEEP = NetworkExperiment(layers="16-16-16", batch_size=1, steps=100, learning_rate=0.05)
DEEP_SQUARED = replace(DEEP, loss="squared", batch_size=32)
CLAIMS = (
    Claim(
        "sigmoid-is-hard", "Sigmoid outputs, all positive, are hard for gradient methods.",
        "folklore", SIGMOID, "single_raw", "trajectories", price_of_the_mean, _hard,
        "steps raw / steps zero-centered on single samples, median over the seeds", 20, "holds", PRICE),
    Claim(
        "relu-is-hard", "ReLU outputs, none negative, are hard for gradient methods.", "folklore", RELU, "full_raw",
        "trajectories", price_of_the_mean, _hard,
        "steps raw / steps zero-centered on single samples, median over the seeds", 20, "conditional", PRICE),
    Claim(
        "tanh-is-preferred", "Tanh is preferred to the sigmoid, because its outputs are zero-centered.",
        "CS231n notes, neural networks 1",
        {"sigmoid": SIGMOID["single_raw"], "tanh": replace(SIGMOID["single_raw"], activation="tanh"),
         "control": replace(SIGMOID["single_raw"], activation="centered_sigmoid")}, "tanh", "trajectories", preferred,
        _because_centered, "steps after a sigmoid / steps after tanh, median over the seeds", 20, "holds", {
            "holds": "For weighted sums that are symmetric around zero. A sigmoid moved down by ½, with the sigmoid's "
                     "own slope, does the same: {control:.1f} times fewer steps, tanh {value:.1f} times. So it is the "
                     "centering, not the steeper slope.",
            "conditional": "Tanh takes {value:.1f} times fewer steps, but a sigmoid moved down by ½ only "
                           "{control:.1f} times: it is not the centering alone.",
            "fails": "Tanh takes {value:.2f} times fewer steps, [{low:.2f}, {high:.2f}]."}),
    Claim(
        "later-layers", "Neurons in later layers of a network receive data that are not zero-centered.",
        "CS231n notes, neural networks 1",
        {"sigmoid": DEEP, "tanh": replace(DEEP, activation="tanh"), "relu": replace(DEEP, activation="relu")},
        "sigmoid", "deep-network", later_layers, _later_layers_shifted,
        "share of second-layer units whose single-sample gradient has one sign, digits, median over networks", 20,
        "conditional", {
            "holds": "{value:.0%} of the second layer's units after sigmoids and {tanh:.0%} after tanh have gradients "
                     "of one sign.",
            "conditional": "It is up to the activation: on one sample {value:.0%} of the second layer's units have "
                           "gradients of one sign after sigmoids, {relu:.0%} after ReLU, zeros apart, and {tanh:.0%} "
                           "after tanh (by chance {chance:.4%}), in networks trained on standardized digits.",
            "fails": "{value:.0%} of the second layer's units have gradients of one sign."}),
    Claim(
        "later-layers-batch",
        "The larger the batch, the rarer a shared sign, in later layers too, from the start of a training on.",
        "CS231n notes, neural networks 1, carried over to later layers at the start",
        {"squared": DEEP_SQUARED, "entropy": replace(DEEP_SQUARED, loss="cross_entropy")}, "squared", "deep-network",
        later_layers_by_batch, _falls,
        "share of second-layer units with a gradient of one sign, large batches minus small ones, digits, median over "
        "networks", 20, "fails", {
            "holds": "The share falls from {small:.0%} at batches of {small_size} to {large:.0%} at {large_size}.",
            "conditional": "The share is {small:.0%} at batches of {small_size} and {large:.0%} at {large_size}.",
            "fails": "Before the first step, with the squared loss, the share falls from {single:.0%} for single "
                     "samples to {small:.0%} at batches of {small_size} and rises to {large:.0%} at {large_size}: a "
                     "hidden unit's slopes do not average to zero. With cross-entropy it goes from {entropy_small:.0%} "
                     "to {entropy_large:.0%}, still far from chance. This often fades as the biases learn, as a later "
                     "step behind the link shows."}),
)
