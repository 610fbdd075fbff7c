"""A trained network in words: titles, the verdict and the numbers, as far as its run bears them out."""
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from zz_core.diagnosis.verdict import short
from zz_core.network import NetworkRun
from zz_core.network_sweeps import BatchShares, Compared, Reason, batch_gain
from zz_core.theory import (
    activation_moments,
    centering_gain,
    condition_number,
    mixing_batch_size,
    same_sign_probability,
)
from zz_view.figures.network import NAMES
from zz_view.page import percent, two_digits

OFTEN, ROOMY = 0.2, 2.0  # a share of one-signed rows above chance, and a head-room, from which on they matter
RISE = 0.05  # a change of a share that is worth a word


def chance(inputs: int) -> str:
    if inputs == 1:
        return "always"
    if inputs < 8:
        return percent(2.0 ** (1 - inputs))
    return f"1 in {2 ** (inputs - 1):,}" if inputs < 18 else "practically never"


def mean_over_steps(values: np.ndarray) -> np.ndarray:
    """Means of (T, L) over the steps that are defined, NaN where none is."""
    known = np.isfinite(values).sum(axis=0)
    return np.divide(np.nansum(values, axis=0), known, out=np.full(known.shape, np.nan), where=known > 0)


def _one_signed(run: NetworkRun) -> tuple[np.ndarray, np.ndarray]:
    """(L,) share of rows with one sign over the steps, and what it is more than chance."""
    shares = mean_over_steps(run.unanimous_rows[0])
    return shares, shares - 2.0 ** (1 - np.array(run.architecture.sizes[:-1]))


def last_known(values: np.ndarray) -> np.ndarray:
    """The last row of (K, L) that is finite throughout, NaN where there is none."""
    good = np.flatnonzero(np.isfinite(values).all(axis=-1))
    return values[good[-1]] if len(good) else np.full(values.shape[-1], np.nan)


def _worst(values: np.ndarray) -> int:
    return int(np.nanargmax(values)) if np.isfinite(values).any() else 0


def verdict(run: NetworkRun, head_room: np.ndarray) -> str:
    """Does it matter here: both harms, kept apart, with what the second one predicts."""
    (shares, excess), room, sizes = _one_signed(run), last_known(head_room), run.architecture.sizes
    if not (np.isfinite(shares).any() and np.isfinite(room).any()):
        return "No step of this run left a gradient to look at."
    signs, valley = _worst(excess), _worst(room)
    batch = run.experiment.batch_size
    each = "one sample" if batch == 1 else f"{batch} samples"
    often, roomy = excess[signs] >= OFTEN, room[valley] >= ROOMY
    head = {(True, True): "**Yes, both harms are here.**", (False, True): "**The slowness yes, the signs hardly.**",
            (True, False): "**The signs yes, the slowness hardly.**", (False, False): "**Hardly.**"}[often, roomy]
    if shares[signs] < 0.005:
        few = "hardly any" if shares[signs] > 0 else "no"
        one = f"With {each} a step, {few} row of ∂L/∂W has one sign in any layer"
    else:
        one = (f"With {each} a step, **{percent(shares[signs])}** of the rows of ∂L/∂W have one sign in layer "
               f"{signs + 1} (by chance {chance(sizes[signs])})")
    if room[valley] < 1.1:
        return f"{head} {one}, and no layer's inputs would bear a larger rate if they were zero-centered."
    return (f"{head} {one}. The inputs of layer {valley + 1} would bear a **{two_digits(room[valley], 'x')}** larger "
            "rate if they were zero-centered. That can save up to as many times the steps, most of it with large "
            "batches.")


def loss_title(run: NetworkRun) -> str:
    last = run.losses[0][np.isfinite(run.losses[0])]
    if run.diverged_at[0] >= 0:
        return f"It diverges at step {run.diverged_at[0]:,}"
    if not len(last):
        return "The loss"
    return f"The loss goes from {last[0]:.2g} to {last[-1]:.2g} in {run.steps:,} step{'s' * (run.steps > 1)}"


def accuracy_title(run: NetworkRun) -> str:
    known = run.test_accuracies[0][np.isfinite(run.test_accuracies[0])]
    return f"{percent(known[-1])} of the held-out rows are classified correctly" if len(known) else "The accuracy"


def layer_name(run: NetworkRun, layer: int) -> str:
    sizes = run.architecture.sizes
    return f"layer {layer + 1} ({sizes[layer]} → {sizes[layer + 1]})"


def striped(signs: np.ndarray) -> float:
    """Share of the rows of signs (out, in) with one sign, zeros apart."""
    positive, negative = (signs > 0).any(axis=-1), (signs < 0).any(axis=-1)
    used = positive | negative
    return float((positive ^ negative).sum() / used.sum()) if used.any() else math.nan


def signs_title(signs: np.ndarray, who: str) -> str:
    share = striped(signs)
    return f"{who}: no gradient" if math.isnan(share) else f"{who}: {percent(share)} of the rows have one sign"


def batch_sentence(shares: BatchShares, reason: Reason, layer: int, step: int, inputs: int) -> str:
    """What averaging does to layer `layer` at these weights, with its reason."""
    line = shares.unanimous[:, layer]
    known = np.flatnonzero(np.isfinite(line))
    if not len(known):
        return f"At step {step:,} layer {layer + 1} has no gradient."
    sizes, line = shares.batch_sizes[known], line[known]
    first, last, low = line[0], line[-1], int(line.argmin())
    if first < RISE and last < RISE:
        return (f"At step {step:,}, rows of layer {layer + 1} hardly ever have one sign, whatever the batch: its "
                "inputs have both signs.")
    if last - line[low] > RISE:
        head = (f"**Averaging more samples raises it again**: at step {step:,}, from {percent(line[low])} of the rows "
                f"of layer {layer + 1} with {sizes[low]} samples to {percent(last)} with all {sizes[-1]:,}.")
    elif first - last > RISE:
        head = (f"**Averaging mixes the signs here**: at step {step:,}, {percent(first)} of the rows of layer "
                f"{layer + 1} have one sign with {_samples(sizes[0])}, {percent(last)} with all {sizes[-1]:,} (by "
                f"chance {chance(inputs)}).")
    else:
        head = (f"**Averaging changes nothing here**: at step {step:,}, {percent(first)} of the rows of layer "
                f"{layer + 1} have one sign with {_samples(sizes[0])}, {percent(last)} with all {sizes[-1]:,}.")
    if not math.isfinite(reason.offset) or reason.offset == 0:
        return head
    return (f"{head} What decides it is a unit's *mean* residual, the average slope of the loss at its sum. Here it is "
            f"{reason.offset:.2g} of the residuals' spread. It outweighs the noise only "
            f"{_from(reason.batch_size)}, and then pushes the row along the inputs' mean. Take it "
            f"away, and {percent(reason.without)} of the rows have one sign in the full batch.")


def _from(batch_size: float) -> str:
    """From which batch size on; a fraction of a sample is less than one, and of large numbers two digits are known."""
    return f"from about {short(batch_size)} samples on" if batch_size > 1.5 else "from a single sample on"


def start_sentence(start: BatchShares, shown: BatchShares, why: Sequence[Reason], step: int) -> str:
    """Before the first step, in the deeper layer where averaging raises the share most; empty where it does nowhere."""
    known = np.isfinite(start.unanimous)
    rise = np.where(known[-1], start.unanimous[-1] - np.where(known, start.unanimous, np.inf).min(axis=0), -np.inf)
    rise[0] = -np.inf
    layer = int(rise.argmax())
    if not rise[layer] > RISE:
        return ""
    low, last = int(np.nanargmin(start.unanimous[:, layer])), start.unanimous[-1, layer]
    now = shown.unanimous[-1, layer]
    fades = f" By step {step:,} the full batch is down to {percent(now)}." if now < last - RISE else ""
    return (f"**At the start averaging raises it**: in layer {layer + 1} from "
            f"{percent(start.unanimous[low, layer])} with {start.batch_sizes[low]} samples to "
            f"{percent(last)} with all {start.batch_sizes[-1]:,}. A unit's mean residual is then "
            f"{why[layer].offset:.2g} of the spread, enough {_from(why[layer].batch_size)}; without it the full batch "
            f"has {percent(why[layer].without)}.{fades}")


def _samples(size: int) -> str:
    return "one sample" if size == 1 else f"{size} samples"


def share_title(shares: BatchShares) -> str:
    """Of the deeper layers: whether averaging raises the share anywhere."""
    deeper = shares.unanimous[:, 1:] if shares.unanimous.shape[1] > 1 else shares.unanimous
    if not np.isfinite(deeper).any():
        return "No gradient to count signs of"
    low = np.nanmin(deeper, axis=0)
    rising = np.flatnonzero(deeper[-1] - low > RISE)
    if len(rising):
        layer = int(rising[np.argmax((deeper[-1] - low)[rising])]) + 1 + (shares.unanimous.shape[1] > 1)
        return f"Averaging makes rows of layer {layer} agree again"
    if np.nanmax(deeper[0]) > RISE:
        return "Averaging mixes the signs of a row"
    return "The signs of a row are mixed at every batch size"


def energy_title(shares: BatchShares, inputs: Sequence[int]) -> str:
    last = shares.energy[-1]
    if not np.isfinite(last).any():
        return "No inputs with a mean direction"
    layer = _worst(last)
    return f"Layer {layer + 1}: {percent(last[layer])} of the full gradient lies along the mean"


def inputs_titles(run: NetworkRun, head_room: np.ndarray) -> tuple[str, str, str]:
    mean, spread = last_known(run.input_mean[0]), last_known(run.input_std[0])
    ratio = np.abs(mean) / np.where(spread > 0, spread, np.nan)
    layer, room = _worst(ratio), last_known(head_room)
    if not np.isfinite(ratio).any():
        return "Mean of each layer's inputs", "Their spread", "Head-room"
    offset = f"Layer {layer + 1} sees a mean {two_digits(ratio[layer])} times its spread"
    first = offset if ratio[layer] > 0.3 else "All layers see inputs about zero"
    best = _worst(room)
    head = (f"Zero-centered, layer {best + 1} would bear {two_digits(room[best], 'x')} the rate"
            if np.isfinite(room).any() and room[best] >= 1.1 else "Zero-centering would change no layer's limit")
    return first, f"Spread of an input, at the end {spread[layer]:.2g} in layer {layer + 1}", head


def comparison_sentence(compared: Sequence[Compared]) -> str:
    """Who wins, and what zero-centering alone does: the same sigmoid with and without its ½."""
    ends = {found.activation: float(np.median(found.final_losses)) for found in compared}
    if len(ends) < 2:
        return ""
    best, worst = min(ends, key=ends.get), max(ends, key=ends.get)
    steps = compared[0].losses.shape[1] - 1
    text = (f"After {steps} steps at its own best rate, **{_plain(best)}** has the lowest training loss "
            f"({_loss(ends[best])}), {_plain(worst)} the highest ({_loss(ends[worst])}).")
    by_name = {found.activation: found for found in compared}
    if {"sigmoid", "centered_sigmoid"} <= set(by_name):
        text += " " + _centering_sentence(by_name["sigmoid"], by_name["centered_sigmoid"])
    edges = [_plain(found.activation) for found in compared if found.at_edge]
    if edges:
        text += f" At the edge of the rates tried, a better one may lie beyond: {', '.join(edges)}."
    return text


def _centering_sentence(raw: Compared, centered: Compared) -> str:
    """When the zero-centered twin is where the raw one ends."""
    first, second = (_smoothed(np.median(found.losses, axis=0)) for found in (raw, centered))
    steps, there = centered.losses.shape[1] - 1, np.flatnonzero(second <= first[-1])
    words = (f"gets to where the raw one ends after {there[0] + 1 + steps - len(second)} of {steps} steps" if len(there)
             else
             f"does not get to where the raw one ends in {steps} steps")
    ratio = np.median(raw.final_losses) / np.median(centered.final_losses)
    end = f", and to a {two_digits(ratio)} times lower loss" if ratio > 1.1 else ""
    small = np.abs(np.log(raw.searched[:2] / centered.searched[:2]))
    alike = (" At the smallest rates the two are alike: the mean costs nothing there, it only forbids the larger ones."
             if np.isfinite(small).all() and small.max() < 0.05 and centered.rate > raw.rate else "")
    return (f"Zero-centering alone, the same sigmoid minus ½, {words}{end}, at a rate of {centered.rate:.2g} in place "
            f"of {raw.rate:.2g}.{alike}")


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """(T+1,) by their geometric mean over the last twentieth of the run, from where there is one, (T',)."""
    width = max(1, len(losses) // 20)
    with np.errstate(all="ignore"):
        sums = np.cumsum(np.concatenate([[0.0], np.log(losses[1:])]))
        return np.exp((sums[width:] - sums[:-width]) / width)


def _plain(name: str) -> str:
    return NAMES.get(name, name.replace("_", " "))


def _loss(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "diverged"


def calculated(width: int, batch_size: int, activation: str, optimizer: str) -> str:
    """The calculator's line, for independent inputs: the activation of standard normal sums."""
    mean, variance = activation_moments(activation, 1.0)
    condition = condition_number(width, mean, variance)
    correlation = mean**2 / (mean**2 + variance)
    if condition < 1.001:
        return (f"**κ = 1**: {_plain(activation)} of centered sums has mean zero, so there is nothing to gain from "
                f"zero-centering, and all {width} components of a gradient share a sign as often as by chance "
                f"({_share(2.0 ** (1 - width))}).")
    same = same_sign_probability(width, correlation)
    gains = (f"zero-centering saves a factor **{two_digits(centering_gain(mean, variance))}** with one sample a step, "
             f"**{two_digits(batch_gain(width, mean, variance, batch_size))}** with {batch_size}, "
             f"**{two_digits(condition)}** with the full batch")
    if optimizer in ("momentum", "nesterov"):
        gains += f" ({two_digits(math.sqrt(condition))} with {optimizer}, whose steps grow like √κ)"
    elif optimizer in ("rmsprop", "adam"):
        gains += (f" of plain descent; {optimizer} rescales each weight, which leaves κ as it is, but its steps follow "
                  "other laws")
    return (f"**κ = {two_digits(condition)}**: {gains}. At the optimum all {width} components of a batch's gradient "
            f"share a sign with probability **{_share(same)}**, from a few samples on and however many. Where the "
            f"error lies across the mean, signs mix {_from(mixing_batch_size(width, correlation))}.")


def _share(share: float) -> str:
    if share >= 0.005:
        return percent(share)
    return f"{100 * share:.1g}\N{NO-BREAK SPACE}%" if share > 1e-6 else "practically none"


def largest_class(run: NetworkRun) -> float:
    """What always guessing the most frequent class of the rows held out would get right."""
    return float(np.bincount(run.test_targets).max() / len(run.test_targets))


def numbers(run: NetworkRun, head_room: np.ndarray) -> list[tuple[str, str, str, str]]:
    """The row of numbers: label, value, comparison, help."""
    (shares, excess), room, sizes = _one_signed(run), last_known(head_room), run.architecture.sizes
    signs, valley = _worst(excess), _worst(room)
    accuracy = run.test_accuracies[0][np.isfinite(run.test_accuracies[0])]
    others = ", ".join(f"{k + 1}: {percent(share)}" for k, share in enumerate(shares))
    rooms = ", ".join(f"{k + 1}: {two_digits(value, 'x')}" for k, value in enumerate(room))
    return [
        (f"Rows with one sign, layer {signs + 1}", percent(shares[signs]), f"by chance {chance(sizes[signs])}",
         f"Rows of ∂L/∂W whose components share a sign, mean over the steps, zeros apart. By layer: {others}."),
        (f"Head-room, layer {valley + 1}", two_digits(room[valley], "x"), f"the data: {two_digits(room[0], 'x')}",
         "The largest eigenvalue of the second moment of the layer's inputs and the 1 of its bias, raw over "
         f"zero-centered, at the last checkpoint. By layer: {rooms}."),
        ("Accuracy, held out", percent(accuracy[-1]) if len(accuracy) else "undefined",
         f"largest class {percent(largest_class(run))}",
         f"Share of the {len(run.test_targets)} held-out rows that are classified correctly at the end."),
    ]


def comparison_titles(compared: Sequence[Compared]) -> tuple[str, str]:
    ends = {found.activation: float(np.median(found.final_losses)) for found in compared}
    best = min(ends, key=ends.get) if ends else ""
    return (f"At its own best rate, {_plain(best)} gets farthest",
            "Each activation has its own best rate, found on other seeds")


def comparison_table(compared: Sequence[Compared]) -> pd.DataFrame:
    """One row an activation, medians over the reported seeds."""
    return pd.DataFrame([{
        "activation": _plain(found.activation), "best rate": float(f"{found.rate:.3g}"),
        "training loss": float(f"{np.median(found.final_losses):.3g}"),
        "lowest": float(f"{found.final_losses.min():.3g}"), "highest": float(f"{found.final_losses.max():.3g}"),
        "held-out accuracy": percent(float(np.median(found.test_accuracies))),
        "rows with one sign": percent(found.unanimous), "seeds": len(found.final_losses)} for found in compared])
