"""A diagnosis in words for the page: the answer, the numbers, and the titles of the pictures."""
import math
from collections.abc import Mapping, Sequence

import numpy as np

from zz_core import Diagnosis
from zz_core.diagnosis import GradientSigns, Training
from zz_core.diagnosis.verdict import MATTERS, SOME, at_batch_size, interval, percent, short
from zz_view.figures.diagnosis import safe
from zz_view.page import Number, plain

HEADS = {"none": "**No, not here.**", "some": "**Yes, somewhat.**", "strong": "**Yes.**"}


def answer(found: Diagnosis, layer: str | None) -> str:
    """One or two sentences: whether, and what zero-centering would bring; `layer` where there are several."""
    head, room = HEADS[found.level], short(found.head_room)
    inputs = "these inputs" if layer is None else f"the inputs of {plain(layer)}"
    if found.level == "none":
        bear = f"at most {room} times the learning rate" if found.head_room >= 1.05 else "no larger learning rate"
        return f"{head} Zero-centered, {inputs} would bear {bear}: there is no problem here."
    text = f"{head} Zero-centered, {inputs} would bear **{room} times** the learning rate"
    training = found.training
    gain = training.gain[0] if training else math.nan
    if math.isnan(gain):
        only = training is not None and math.isfinite(training.runs["standardize"].median)
        return f"{text}" + ("; yet only standardized ones learn in the time given here." if only else ".")
    if gain < MATTERS:
        return f"{text}, but at your batch size that saves few steps."
    bound = "more than " if training.at_least else ""
    return f"{text}; at your batch size expect {bound}**{short(gain)} times fewer** steps."


def numbers(found: Diagnosis) -> list[Number]:
    """The three numbers under the picture: the signs, the conditioning, and what it costs."""
    chance = percent(2.0 ** (1 - found.features))
    batch = f"batches of {found.batch_size:,}: {percent(at_batch_size(found, 'raw'))}, by chance {chance}"
    return [
        Number("Samples that push one way", percent(found.one_sign["raw"].value), batch,
               "Share of single samples whose gradient has one sign for all weights, zeros apart; and of batches, at "
               "the optimum. This is the zig-zag, and a batch mends it."),
        Number("Learning rate, zero-centered", f"{short(found.head_room)}x",
               f"κ {short(found.condition_raw)} → {short(found.condition_centered)}",
               "The head-room: the largest eigenvalue of E[xxᵀ], with the 1 of a bias, raw over zero-centered. κ is "
               "the condition number, largest over smallest eigenvalue. This is the slowness, and no batch mends it."),
        _steps_number(found),
    ]


def _steps_number(found: Diagnosis) -> Number:
    training, about = found.training, ("Runs of one linear unit with a bias on these numbers, each treatment at its "
                                       "best of three learning rates, until the excess loss is 1 % of the start's.")
    if training is None:
        return Number("Steps", "not run", "", about)
    raw, centered = (training.runs[name] for name in ("none", "center"))
    gain, low, high = training.gain
    value = ("neither arrives" if math.isnan(gain) else f"{'> ' if training.at_least else ''}{short(gain)}x fewer")
    if not math.isnan(gain) and gain < 1.05:
        value = "as many"
    spread = "" if math.isnan(gain) else f" The ratio's 95 % interval over the seeds: {interval(low, high)}."
    return Number(f"Steps at batch size {training.batch_size:,}", value,
                  f"raw {_taken(raw)}, zero-centered {_taken(centered)}", about + spread)


def _taken(run) -> str:
    return f"{run.median:,.0f}" if math.isfinite(run.median) else f"over {run.limit:,}"


def signs_title(found: Diagnosis) -> str:
    share, batch = found.one_sign["raw"].value, at_batch_size(found, "raw")
    if math.isnan(share):
        return "No gradient to look at"
    if found.batch_size == 1:
        return f"{percent(share)} of single samples push one way"
    return f"One way: {percent(share)} of samples, {percent(batch)} of batches"


def spectrum_title(found: Diagnosis) -> str:
    ratio = found.eigenvalues_raw[0] / found.eigenvalues_centered[0]
    if ratio < MATTERS:
        return "The mean adds no steep direction"
    return f"The mean makes one direction {short(ratio)}x steeper"


def steps_title(training: Training) -> str:
    gain = training.gain[0]
    if math.isnan(gain):
        better = training.runs["standardize"].median
        return "Only standardized inputs arrive" if math.isfinite(better) else "No inputs arrive in time"
    if gain < 1.05:
        return "Zero-centering saves no steps"
    return f"{'More than ' if training.at_least else ''}{short(gain)}x fewer steps, zero-centered"


def features_title(found: Diagnosis) -> str:
    above = int((found.mean_ratio[found.kept] > 1).sum())
    if found.features == 1:
        return f"The feature's mean is {'beyond' if above else 'within'} its spread"
    return f"{above:,} of {found.features:,} features have a mean beyond their spread"


def spectra_rows(found: Diagnosis) -> list[dict[str, str]]:
    """The spectra in numbers, for a table."""
    named = {"raw": found.spectra.raw, "zero-centered": found.spectra.centered,
             "standardized": found.spectra.standardized, "raw, with a bias": found.spectra.raw_bias,
             "zero-centered, with a bias": found.spectra.centered_bias}
    return [{"inputs": name, "κ": short(each.condition), "largest": short(each.eigenvalues[0]),
             "smallest": short(each.smallest) if each.smallest > 0 else "lost in rounding",
             "directions without spread": f"{each.null:,}"} for name, each in named.items()]


def condition_sentence(found: Diagnosis) -> str:
    """The closed form beside the measured condition number, and what a finite sample makes of it."""
    text = (f"κ is the largest over the smallest eigenvalue. Independent features of your average mean and variance "
            f"would have **1 + D m²/v = {short(found.condition_independent)}** raw, 1 zero-centered.")
    white = found.condition_white
    seen = f"can show {short(white)} in place of 1" if math.isfinite(white) else "have no smallest eigenvalue at all"
    if found.features > 1:  # one feature has one eigenvalue, and κ = 1 whatever the sample
        text += f" A finite sample adds to both: {found.rows:,} samples of {found.features:,} white features {seen}."
    if math.isinf(found.condition_ratio):
        return f"{text} Raw, the smallest eigenvalue is lost in the rounding of the largest."
    return f"{text} The *ratio* raw over zero-centered, **{short(found.condition_ratio)}**, is steadier."


def layers_title(rooms: Sequence[float]) -> str:
    many = sum(room >= SOME for room in rooms)
    return f"{many} of {len(rooms)} layers suffer from their mean" if many else "No layer suffers from its mean"


def rows_title(found: Mapping[str, GradientSigns]) -> str:
    worst = max(found, key=lambda name: np.nan_to_num(found[name].overall - found[name].chance))
    return f"{percent(found[worst].overall)} of the rows have one sign in {safe(worst)[:20]}"


def gradients_sentence(found: Mapping[str, GradientSigns], layer: str) -> str:
    each = found[layer]
    count = len(each.signs)
    text = (f"Over {count:,} recorded step{'s' * (count > 1)}, **{percent(each.overall)}** of the rows of ∂L/∂W in "
            f"{plain(layer)} have one sign (by chance {percent(each.chance)}).")
    energy = each.mean_direction_energy
    if energy is not None and np.isfinite(energy).any():
        text += (f" {percent(float(np.nanmean(energy)))} of the gradient's squared length lies along the mean of the "
                 f"layer's inputs (by chance {percent(1 / each.signs.shape[2])}), whatever the signs.")
    return text
