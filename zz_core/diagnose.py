"""python -m zz_core.diagnose FILE [--target COLUMN] [--batch-size B] [--json]; and, from Python, diagnose(activations).

As a module this name would hide the function `zz_core.diagnose` once it is imported, so the module can be called, too.
"""
import argparse
import functools
import json
import sys
import types
from collections.abc import Sequence
from typing import Any

import numpy as np

from zz_core.diagnosis import THRESHOLDS, Diagnosis, GradientSigns, diagnose, gradient_signs
from zz_core.diagnosis.report import HEADINGS, as_data, gradient_data, table_row
from zz_core.diagnosis.verdict import percent
from zz_core.reading import Recording, read

OK, PROBLEM, BAD_INPUT, STOPPED = 0, 1, 2, 130
EPILOG = f"""FILE is NPY (samples, features); NPZ with one such array a layer, named inputs/LAYER, and gradients
(steps, out, in) named gradients/LAYER, as the recorders in examples/ write it; or CSV with a row for each sample.
Parquet and safetensors are read by the dashboard's page Your data. Nothing in a file is executed.

{THRESHOLDS}

Exit codes: {OK} diagnosed, {PROBLEM} diagnosed with --check, and a layer has a problem, {BAD_INPUT} nothing diagnosed,
since something is wrong with the call or the file, {STOPPED} stopped from the keyboard."""


class _Callable(types.ModuleType):
    @functools.wraps(diagnose)
    def __call__(self, *arguments: Any, **options: Any) -> Diagnosis:
        return diagnose(*arguments, **options)


sys.modules[__name__].__class__ = _Callable


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        held = read(options.file, options.target, options.leave_out, options.encoding)
        layers, gradients = diagnose_recording(held, options)
    except (OSError, ValueError) as error:
        print(f"zz_core.diagnose: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return STOPPED
    if options.json:
        print(json.dumps({"file": options.file, "thresholds": THRESHOLDS,
                          "layers": {name: as_data(found) for name, found in layers.items()},
                          "gradients": {name: gradient_data(found) for name, found in gradients.items()},
                          "left_out": held.left_out}, allow_nan=False))
    else:
        print("\n".join(_lines(layers, gradients, held.left_out)))
    return PROBLEM if options.check and any(found.level != "none" for found in layers.values()) else OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m zz_core.diagnose", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Do a layer's inputs suffer from their mean, and would zero-centering help?")
    parser.add_argument("file", metavar="FILE", help="NPY, NPZ or CSV")
    parser.add_argument("--target", metavar="COLUMN", help="the column of a CSV that the others are to predict")
    parser.add_argument("--leave-out", metavar="COLUMN", action="append", default=[], help="a column of a CSV that is "
                        "no input; may be repeated")
    parser.add_argument("--encoding", default="utf-8", help="of a CSV (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, help="of your training (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=8, help="runs per treatment; 0 leaves them out (default: "
                        "%(default)s)")
    parser.add_argument("--json", action="store_true", help="print everything as JSON instead of the table")
    parser.add_argument("--check", action="store_true", help=f"exit with {PROBLEM} where a layer has a problem")
    return parser


def diagnose_recording(held: Recording,
                       options: argparse.Namespace) -> tuple[dict[str, Diagnosis], dict[str, GradientSigns]]:
    """Every layer and every gradient of a file; the targets belong to the layers of as many samples."""
    layers = {}
    for name, values in held.layers.items():
        targets = held.targets if held.targets is not None and len(held.targets) == len(values) else None
        layers[name] = diagnose(values, targets, names=held.names.get(name), batch_size=options.batch_size,
                                seeds=options.seeds, what=name)
    means = {name: found.mean for name, found in layers.items()}
    return layers, {name: gradient_signs(values, means.get(name), f"gradients of {name}")
                    for name, values in held.gradients.items()}


def _lines(layers: dict[str, Diagnosis], gradients: dict[str, GradientSigns], left_out: dict[str, str]) -> list[str]:
    rows = [table_row(name, found) for name, found in layers.items()]
    lines = _aligned([list(HEADINGS), *(list(row.values()) for row in rows)]) if rows else []
    for name, found in layers.items():
        lines += ["", f"{name}: {found.verdict}"]
    lines += [""] * bool(rows and gradients)
    lines += [f"{name}: over {len(found.signs):,} steps, {percent(found.overall)} of the rows of its gradient have one "
              f"sign (by chance {percent(found.chance)})." for name, found in gradients.items()]
    lines += [""] * bool(left_out) + [f"Left out: {name}, since {why}." for name, why in left_out.items()]
    return [*lines, "", THRESHOLDS] if rows else lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width, the first to the left, numbers to the right."""
    widths = np.max([[len(cell) for cell in row] for row in rows], axis=0)
    return ["  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in
                                                 zip(row[1:], widths[1:], strict=True))]) for row in rows]


if __name__ == "__main__":
    raise SystemExit(main())
