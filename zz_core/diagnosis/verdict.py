"""A diagnosis in words: stated thresholds, figures from the data and from runs on them."""
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from zz_core.diagnosis.diagnosis import Diagnosis
    from zz_core.diagnosis.training import Trained

SOME, STRONG = 2.0, 10.0  # head-room from which on the mean costs something, and from which on it is the first thing
MATTERS = 1.5  # a factor in steps, or in condition numbers, that is worth a word
UNEQUAL = 10.0  # a factor that standardizing takes off the condition number, beyond centering
MANY = 0.5  # share of single-sample gradients with one sign
ROWS_PER_FEATURE = 10  # with fewer, the smallest eigenvalues say more about the sample than about the source
THRESHOLDS = (
    "Judged by the head-room, how many times larger a learning rate the inputs would bear if they were zero-centered, "
    f"and by how many times fewer steps the runs then take. Both below {SOME:g} is no problem. From {STRONG:g} on in "
    f"one of them the mean is the first thing to mend, unless the runs gain less than {MATTERS:g}.")
ADVICE = "Standardize the inputs or put a normalization before this layer."
CENTER_ONLY = "Zero-center the inputs and leave their spreads as they are: standardized ones take more steps here."


class Words(NamedTuple):
    """level: none, some or strong; a headline; then sentences with the figures; what to do, empty where nothing."""

    level: str
    headline: str
    figures: tuple[str, ...]
    advice: str

    @property
    def text(self) -> str:
        return " ".join(filter(None, [self.headline, *self.figures, self.advice]))


def words(found: "Diagnosis") -> Words:
    """The worded diagnosis."""
    level = level_of(found)
    figures = [_condition(found), _steps(found), _signs(found), _spreads(found), _aside(found)]
    return Words(level, _headline(found, level), tuple(filter(None, figures)), _advice(found, level))


def level_of(found: "Diagnosis") -> str:
    """none, some or strong, as THRESHOLDS says."""
    gain, low, _ = found.training.gain if found.training else (math.nan,) * 3
    if found.head_room < SOME and not low >= SOME:  # NaN where the runs tell nothing
        return "none"
    return "strong" if (found.head_room >= STRONG or low >= STRONG) and not gain < MATTERS else "some"


def _headline(found: "Diagnosis", level: str) -> str:
    room = short(found.head_room)
    if level == "none":
        extra = f"at most {room} times larger" if found.head_room >= 1.05 else "no larger than now"
        return f"There is no problem here: zero-centered, these inputs would bear a learning rate {extra}."
    if found.training and found.training.gain[0] < MATTERS:
        return (f"The mean of these inputs limits the learning rate {room}-fold, but costs few steps at your batch "
                "size.")
    cost = "is expensive" if level == "strong" else "costs something"
    return f"The mean of these inputs {cost}: zero-centered, they would bear a learning rate {room} times larger."


def _condition(found: "Diagnosis") -> str:
    raw, centered, ratio = found.condition_raw, found.condition_centered, found.condition_ratio
    if math.isinf(raw):
        text = ("The condition number of the raw inputs is beyond what double precision holds; centering would cut it "
                f"to {short(centered)}.")
    elif ratio >= MATTERS:
        text = f"Centering would cut the condition number {short(ratio)}-fold, from {short(raw)} to {short(centered)}."
    elif ratio <= 1 / MATTERS:
        text = (f"Centering would raise the condition number from {short(raw)} to {short(centered)}, unless a bias is "
                "learned.")
    else:
        text = f"Centering leaves the condition number about as it is, {short(raw)} and {short(centered)}."
    if found.rows < ROWS_PER_FEATURE * found.features:
        white = found.condition_white
        seen = f"{short(white)} in place of 1" if math.isfinite(white) else "any number at all"
        text += (f" Of {found.rows:,} samples in {found.features:,} features even white noise would show {seen}, so "
                 "trust the ratio rather than either number.")
    return text


def _steps(found: "Diagnosis") -> str:
    training = found.training
    if training is None:
        return ""
    raw, centered = training.runs["none"], training.runs["center"]
    gain, low, high = training.gain
    size = "with the full batch" if training.batch_size == training.rows else f"at batch size {training.batch_size:,}"
    if math.isnan(gain):
        scaled = training.runs["standardize"]
        rest = (f"standardized inputs take {_steps_of(scaled)}" if math.isfinite(scaled.median) else
                "nor do standardized ones")
        return (f"Trained {size}, zero-centered inputs do not get to 1 % of the excess loss within {centered.limit:,} "
                f"steps in every run; {rest}.")
    if training.at_least:
        late = "do not" if math.isinf(raw.median) else "do not always"
        return (f"Trained {size}, raw inputs {late} get to 1 % of the excess loss within {raw.limit:,} steps; "
                f"zero-centered ones take {_steps_of(centered)}: expect more than {short(gain)} times fewer steps "
                f"(95 % interval from {short(low)} on over {len(centered.steps)} seeds).")
    few = f"about {short(gain)} times fewer steps" if gain >= MATTERS else "about as many steps"
    late = int(np.isinf(raw.steps).sum())
    lost = f"; {late} of the raw runs do{'es' * (late == 1)} not get there within {raw.limit:,}" if late else ""
    return (f"Trained {size}, expect {few} when zero-centered ({short(gain)}, 95 % interval {interval(low, high)} over "
            f"{len(centered.steps)} seeds): {_steps_of(raw)} raw, {_steps_of(centered)} zero-centered to 1 % of the "
            f"excess loss{lost}.")


def interval(low: float, high: float) -> str:
    """The interval of a gain; open where raw runs that do not arrive lie beyond it."""
    return f"{short(low)} to {short(high)}" if math.isfinite(high) else f"from {short(low)} on"


def _steps_of(run: "Trained") -> str:
    return f"{run.median:,.0f}"


def _signs(found: "Diagnosis") -> str:
    share, chance = found.one_sign["raw"].value, 2.0 ** (1 - found.features)
    if math.isnan(share) or found.features < 2:
        return ""
    if share >= MANY:
        batch = (f"; of batches of {found.batch_size:,}, at the optimum, {percent(at_batch_size(found, 'raw'))} do"
                 if found.batch_size > 1 else "")
        return f"{percent(share)} of single samples push all weights the same way (by chance {percent(chance)}){batch}."
    if found.head_room < SOME:
        return f"{percent(share)} of single samples push all weights the same way (by chance {percent(chance)})."
    few = "No single sample pushes" if share == 0 else f"Only {percent(share)} of single samples push"
    return f"{few} all weights the same way, but the mean needs no such agreement to make a long valley."


def at_batch_size(found: "Diagnosis", which: str) -> float:
    """Share of batches of the visitor's size whose gradient has one sign."""
    signs = found.signs_by_batch[which]
    return float(signs.share[np.flatnonzero(signs.batch_sizes == found.batch_size)[0]])


def _spreads(found: "Diagnosis") -> str:
    gained = found.condition_centered / found.spectra.standardized.condition
    spread = np.sqrt(found.variance[found.kept])
    if gained < UNEQUAL or spread.max() < UNEQUAL * spread.min():
        return ""
    return (f"The features' spreads differ by up to a factor {short(spread.max() / spread.min())}: standardizing would "
            f"cut the condition number by another {short(gained)}, from {short(found.condition_centered)} to "
            f"{short(found.spectra.standardized.condition)}.")


def _aside(found: "Diagnosis") -> str:
    parts, null = [], found.spectra.centered.null
    if found.set_aside:
        shown = ", ".join(found.set_aside[:5]) + (", …" if len(found.set_aside) > 5 else "")
        parts.append(f"Set aside, as without spread: {shown}.")
    if null:
        parts.append(f"{null:,} of {found.features:,} directions do not move at all, since features depend on each "
                     "other or samples are few; they count in no condition number.")
    return " ".join(parts)


def _advice(found: "Diagnosis", level: str) -> str:
    runs = found.training.runs if found.training else {}
    if level != "none":
        # rare features, once scaled up, limit the rate of small batches: the runs decide, not the condition number
        return CENTER_ONLY if runs and runs["standardize"].median > MATTERS * runs["center"].median else ADVICE
    if _spreads(found):
        return "Standardize the inputs: not for their means, but for their unequal spreads."
    if runs and math.isinf(runs["center"].median) and math.isfinite(runs["standardize"].median):
        return "Standardize the inputs: not for their means, but for their size beside the 1 of the bias."
    return ""


def short(value: float) -> str:
    """Two significant digits, whole and with thousands' separators from 10 on."""
    if not math.isfinite(value):
        return "beyond measure" if value > 0 else "undefined"
    if abs(value) < 1e-9:
        return "0"
    if value >= 1e7:
        return f"{value:.1e}".replace("e+0", "e").replace("e+", "e")
    if value >= 99.5:
        digits = 2 - len(str(round(value)))
        return f"{round(value, digits):,.0f}"
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2g}"


def percent(share: float) -> str:
    """A share in words; tiny ones are not zero."""
    if math.isnan(share):
        return "undefined"
    return "under 1 %" if share > 0 and round(100 * share) == 0 else f"{100 * share:.0f} %"
