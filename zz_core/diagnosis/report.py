"""A diagnosis as rows of a table and as plain data for JSON."""
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from zz_core.diagnosis.diagnosis import Diagnosis
from zz_core.diagnosis.gradients import GradientSigns
from zz_core.diagnosis.verdict import at_batch_size, percent, short

HEADINGS = ("layer", "samples", "features", "m²/v", "head-room", "κ raw", "κ centered", "κ standardized", "one sign",
            "in a batch", "steps raw", "steps centered")


def table_row(name: str, found: Diagnosis) -> dict[str, str]:
    """One layer in a row; see HEADINGS. m²/v is the median over the features."""
    runs = found.training.runs if found.training else {}
    cells = (name, f"{found.rows:,}", f"{found.features:,}", short(float(np.nanmedian(found.mean_ratio))),
             short(found.head_room), short(found.condition_raw), short(found.condition_centered),
             short(found.spectra.standardized.condition), percent(found.one_sign["raw"].value),
             percent(at_batch_size(found, "raw")), *(_steps(runs, treatment) for treatment in ("none", "center")))
    return dict(zip(HEADINGS, cells, strict=True))


def _steps(runs: Mapping, treatment: str) -> str:
    if treatment not in runs:
        return ""
    run = runs[treatment]
    return f"{run.median:,.0f}" if math.isfinite(run.median) else f"over {run.limit:,}"


def feature_rows(found: Diagnosis) -> list[dict[str, Any]]:
    """One row a feature, with plain numbers; NaN where a feature has no spread."""
    return [{"feature": name, "mean": mean, "variance": variance, "positive": positive, "m²/v": ratio}
            for name, mean, variance, positive, ratio in zip(
                found.names, found.mean.tolist(), found.variance.tolist(), found.positive_share.tolist(),
                found.mean_ratio.tolist(), strict=True)]


def as_data(found: Diagnosis) -> dict[str, Any]:
    """Everything that a diagnosis holds, for JSON: numbers that are not finite become None."""
    words, training = found.words, found.training
    spectra = {name: {"condition": each.condition, "null_directions": each.null, "eigenvalues": each.eigenvalues}
               for name, each in found.spectra._asdict().items()}
    return plain({
        "rows": found.rows, "features": found.features, "set_aside": found.set_aside, "level": words.level,
        "verdict": words.text, "headline": words.headline, "figures": words.figures, "advice": words.advice,
        "head_room": found.head_room, "condition_ratio": found.condition_ratio,
        "condition_independent": found.condition_independent, "condition_white": found.condition_white,
        "names": found.names, "mean": found.mean, "variance": found.variance, "positive_share": found.positive_share,
        "mean_ratio": found.mean_ratio, "spectra": spectra,
        "one_sign": {name: share._asdict() for name, share in found.one_sign.items()},
        "signs_by_batch": {name: signs._asdict() for name, signs in found.signs_by_batch.items()},
        "batch_size": found.batch_size,
        "training": training and {
            "batch_size": training.batch_size, "rows": training.rows, "directions": training.directions,
            "captured": training.captured, "gain": training.gain, "gain_is_a_lower_bound": training.at_least,
            "runs": {name: {**run._asdict(), "median": run.median, "interval": run.interval}
                     for name, run in training.runs.items()}}})


def gradient_data(found: GradientSigns) -> dict[str, Any]:
    """The measures of recorded gradients for JSON, without the signs themselves."""
    steps, rows, inputs = found.signs.shape
    return plain({"steps": steps, "rows": rows, "inputs": inputs, "unanimous_rows": found.unanimous_rows,
                  "overall": found.overall, "chance": found.chance, "positive_share": found.positive_share,
                  "mean_direction_energy": found.mean_direction_energy})


def plain(value: Any) -> Any:
    """As JSON takes it."""
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
