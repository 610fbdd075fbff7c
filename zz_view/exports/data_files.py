"""A run as a file: CSV, Parquet, NPZ; and the experiment as JSON, which later versions still read.

Every file but CSV, which has no place for it, holds the version and the whole experiment, defaults included.
"""
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from zz_core import Experiment, Run, __version__
from zz_core.experiment import DEFAULTS
from zz_core.measures import unanimous

PROGRAM = "Zig-Zag Lab"
SAME = 1e-9  # of the largest final weight: what another version of NumPy may round differently


def file_stem(experiment: Experiment) -> str:
    return f"zig-zag-{experiment.inputs}-{experiment.dimensions}d-batch{experiment.batch_size}-seed{experiment.seed}"


def table(runs: Mapping[str, Run]) -> pd.DataFrame:
    """One row for each run, seed and step; the gradient is that of the step which leaves the row's weights."""
    return pd.concat([rows for name, run in runs.items() for rows in _tables(name, run)], ignore_index=True)


def _tables(name: str, run: Run) -> Iterator[pd.DataFrame]:
    """One table a seed."""
    losses, one_sign = run.losses(), unanimous(run.gradients())
    for replicate, weights in enumerate(run.weights):
        columns = {"run": name, "seed": run.experiment.seed + replicate, "step": run.step_index}
        columns |= {f"w{k + 1}": weights[:, k] for k in range(weights.shape[1])}
        if run.biases is not None:
            columns["bias"] = run.biases[replicate]
        if run.input_biases is not None:
            columns |= {f"input_bias{k + 1}": run.input_biases[replicate, :, k] for k in range(weights.shape[1])}
        columns["loss"] = losses[replicate]
        columns["gradient_has_one_sign"] = np.append(one_sign[replicate], np.nan)  # no step leaves the last row
        yield pd.DataFrame(columns)


def csv(runs: Mapping[str, Run]) -> bytes:
    return table(runs).to_csv(index=False).encode()


def parquet(runs: Mapping[str, Run]) -> bytes:
    """The table; its experiments stand under `zig_zag_lab` in the file's metadata, which other readers skip."""
    rows = pa.Table.from_pandas(table(runs), preserve_index=False)
    rows = rows.replace_schema_metadata({**(rows.schema.metadata or {}), b"zig_zag_lab": stamp(runs).encode()})
    file = io.BytesIO()
    pq.write_table(rows, file, compression="zstd")
    return file.getvalue()


def npz(runs: Mapping[str, Run]) -> bytes:
    """Every array of every run, RUN_NAME-ARRAY, with shapes as in the core: replicates, steps, dimensions."""
    arrays = {"zig_zag_lab": np.array(stamp(runs))}
    for name, run in runs.items():
        found = {"step": run.step_index, "weights": run.weights, "biases": run.biases, "input_biases": run.input_biases,
                 "batches": run.batches, "losses": run.losses(), "gradients": run.gradients(),
                 "residuals": run.residuals(), "raw_inputs": run.task.raw, "inputs": run.inputs, "targets": run.targets,
                 "optimum": run.optimum, "optimum_bias": run.optimum_bias, "learning_rate": run.learning_rate,
                 "diverged_at": run.diverged_at}
        arrays |= {f"{_key(name)}-{what}": np.asarray(value) for what, value in found.items() if value is not None}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _key(name: str) -> str:
    """A run's name as the beginning of a variable's: `raw, full batch` becomes `raw_full_batch`."""
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name).split())


def stamp(runs: Mapping[str, Run]) -> str:
    """Version and experiments, as JSON."""
    return json.dumps({"program": PROGRAM, "version": __version__,
                       "experiments": {name: asdict(run.experiment) for name, run in runs.items()}})


def experiment_json(experiment: Experiment, runs: Mapping[str, Run] | None = None, link: str = "") -> str:
    """The whole experiment, the version that wrote it, and where the runs ended: a later version can tell whether it
    still gets there."""
    written = {"program": PROGRAM, "version": __version__, "numpy": np.__version__, "link": link,
               "experiment": asdict(experiment)}
    if runs:
        written["runs"] = {name: {"experiment": asdict(run.experiment), "learning_rate": _plain(run.learning_rate),
                                  "final_weights": [_plain(value) for value in run.weights[0, -1]],
                                  "diverged_at": int(run.diverged_at[0])} for name, run in runs.items()}
    return json.dumps(written, indent=2, allow_nan=False)


def _plain(value: float) -> float | None:
    """JSON has no NaN: the weights of a run that diverged, and the rate of one that needs none, are null."""
    return float(value) if np.isfinite(value) else None


class Opened(NamedTuple):
    """What was read from a JSON file; notes say in sentences what this version made of it."""

    experiment: Experiment
    notes: list[str]
    runs: dict[str, tuple[Experiment, list[float | None]]]  # with the weights (D,) where they ended


def read_json(text: str | bytes) -> Opened:
    """The experiment of a file, of this version or of an older one. ValueError in words where it holds none."""
    try:
        written = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("This is no JSON file.") from None
    if not isinstance(written, dict) or not isinstance(written.get("experiment"), dict):
        raise ValueError('This file holds no experiment: one that was saved here has the field "experiment".')
    notes, version = [], str(written.get("version", "unknown"))[:40]
    if version != __version__:
        notes.append(f"The file was written by version {version}, this is version {__version__}.")
    experiment = _experiment(written["experiment"], notes)
    runs = {}
    for name, run in (written.get("runs") or {}).items() if isinstance(written.get("runs"), dict) else ():
        if isinstance(run, dict) and isinstance(run.get("experiment"), dict):
            runs[str(name)] = (_experiment(run["experiment"], []), list(run.get("final_weights") or []))
    return Opened(experiment, notes, runs)


def _experiment(found: dict, notes: list[str]) -> Experiment:
    known = {field.name for field in fields(Experiment)}
    if unknown := sorted(set(found) - known):
        notes.append(f"It sets {_listed(unknown)}, which this version does not have: left out.")
    if missing := sorted(known - set(found)):
        defaults = ", ".join(f"{name} = {DEFAULTS[name]}" for name in missing)
        notes.append(f"It does not set {_listed(missing)}, which came later: {defaults}.")
    return Experiment(**{name: value for name, value in found.items() if name in known})


def _listed(names: list[str]) -> str:
    return ", ".join(name[:40] for name in names[:8])


def comparison(final_weights: list[float | None], run: Run) -> str:
    """A sentence: whether the run still ends where the file says it did."""
    there = run.weights[0, -1]
    before = np.array([np.nan if value is None else value for value in final_weights], float)
    if before.shape != there.shape:
        return "The file does not say where this run ended."
    if not np.isfinite(before).all() or not np.isfinite(there).all():
        same = np.isfinite(before).all() == np.isfinite(there).all()
        return "It diverges, as it did then." if same else "It diverges here, or did then, and not both."
    off = float(np.abs(before - there).max() / max(1.0, np.abs(before).max()))
    if off <= SAME:
        return "It ends at the same weights as then."
    return f"It ends elsewhere than then: the weights differ by up to {off:.2g} of the largest."
