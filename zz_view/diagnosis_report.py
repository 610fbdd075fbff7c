"""The report of a diagnosis to take away: one HTML file that needs no network, or JSON as the command writes it."""
import html as markup
import json
import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

import zz_core
from zz_core import Diagnosis
from zz_core.diagnosis import THRESHOLDS, GradientSigns
from zz_core.diagnosis.report import HEADINGS, as_data, feature_rows, gradient_data, table_row
from zz_core.diagnosis.verdict import percent, short
from zz_view import diagnosis_words as words
from zz_view.figures.diagnosis import TREATED, TWINS

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c1e22;
background:#fff}table{border-collapse:collapse;font-size:.9rem;display:block;overflow-x:auto}th,td{text-align:right;
padding:.25rem .6rem;border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}h1{margin-bottom:0}
td{white-space:nowrap}.pictures{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0}svg{max-width:100%;height:auto}figcaption{font-size:.9rem}small{color:#5a5f68}"""
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 460, 300, 56, 110, 14, 40


def stem(name: str) -> str:
    """A layer's name as part of a file's."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "layer"


def text(source: str, layers: Mapping[str, Diagnosis], gradients: Mapping[str, GradientSigns],
         left_out: Mapping[str, str]) -> str:
    """JSON with everything that was measured, under the names that the command uses."""
    return json.dumps({"program": "Zig-Zag Lab", "version": zz_core.__version__, "file": source,
                       "thresholds": THRESHOLDS, "layers": {name: as_data(found) for name, found in layers.items()},
                       "gradients": {name: gradient_data(found) for name, found in gradients.items()},
                       "left_out": dict(left_out)}, indent=1, allow_nan=False)


def html(source: str, layers: Mapping[str, Diagnosis], gradients: Mapping[str, GradientSigns]) -> str:
    """One page; what a visitor has named is escaped."""
    parts = [*(_layer(name, found) for name, found in layers.items()), _gradients(gradients)]
    rows = _table(HEADINGS, [list(table_row(name, found).values()) for name, found in layers.items()]) * bool(layers)
    return (f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Diagnosis of {_e(source)}</title>"
            f"<meta name='viewport' content='width=device-width'><style>{STYLE}</style>"
            f"<h1>Does it happen in mine?</h1><p><small>{_e(source)}, diagnosed by Zig-Zag Lab {zz_core.__version__}"
            f"</small></p>{rows}{''.join(parts)}<p><small>{_e(THRESHOLDS)}</small></p></html>")


def _layer(name: str, found: Diagnosis) -> str:
    said = found.words
    figures = "".join(f"<li>{_e(sentence)}</li>" for sentence in said.figures)
    advice = f"<p><b>What to do.</b> {_e(said.advice)}</p>" if said.advice else ""
    spectra = words.spectra_rows(found)
    pictures = (_picture("Curvatures, steepest direction first", "direction", _curvatures(found)) +
                _picture("Share of gradients with one sign", "batch size", _signs(found), shares=True))
    columns = ["feature", "mean", "variance", "positive", "m²/v"]
    rows = [[row["feature"], *(_short(row[column]) for column in columns[1:])] for row in feature_rows(found)]
    return (f"<h2>{_e(name)}</h2><p><b>{_e(said.headline)}</b></p><ul>{figures}</ul>{advice}"
            f"<div class='pictures'>{pictures}</div>{_runs(found)}<h3>Spectra</h3>"
            f"{_table(list(spectra[0]), [list(row.values()) for row in spectra])}<details><summary>Features</summary>"
            f"{_table(columns, rows)}</details>")


def _runs(found: Diagnosis) -> str:
    if found.training is None:
        return ""
    rows = [[TREATED[treatment], f"{run.rate:g}", _short(run.median), " to ".join(map(_short, run.interval)),
             _short(run.expected), _short(run.full_batch)] for treatment, run in found.training.runs.items()]
    return (f"<h3>Steps to 1 % of the excess loss, batch size {found.training.batch_size:,}</h3>" +
            _table(["inputs", "rate / stability limit", "median", "95 % interval", "theory", "theory, full batch"],
                   rows))


def _gradients(found: Mapping[str, GradientSigns]) -> str:
    if not found:
        return ""
    rows = [[name, f"{len(each.signs):,}", f"{each.signs.shape[1]:,}", f"{each.signs.shape[2]:,}",
             percent(each.overall), percent(each.chance)] for name, each in found.items()]
    return "<h2>The signs of the recorded gradients</h2>" + _table(
        ["layer", "steps", "rows", "weights a row", "rows with one sign", "by chance"], rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_e(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{_e(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _short(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.4g}" if math.isfinite(value) else "not reached"


def _e(value: str) -> str:
    return markup.escape(str(value))


Lines = dict[str, tuple[np.ndarray, np.ndarray]]


def _curvatures(found: Diagnosis) -> Lines:
    spectra = {"raw": found.spectra.raw, "zero-centered": found.spectra.centered,
               "standardized": found.spectra.standardized}
    lines = {}
    for name, each in spectra.items():
        values = each.eigenvalues[each.eigenvalues > 0]
        lines[name] = np.arange(1.0, len(values) + 1), values
    return lines


def _signs(found: Diagnosis) -> Lines:
    named = {"raw": found.signs_by_batch["raw"], "zero-centered": found.signs_by_batch["centered"]}
    return {name: (each.batch_sizes.astype(float), each.share) for name, each in named.items()}


def _picture(title: str, x_title: str, lines: Lines, shares: bool = False) -> str:
    """Lines as SVG, each named at its end; logarithmic axes with their ends, but for shares, from 0 to 1."""
    places = {name: (np.log10(x), y if shares else np.log10(y)) for name, (x, y) in lines.items()}
    (x0, x1), (y0, y1) = (_ends([part[axis] for part in places.values()]) for axis in (0, 1))
    y0, y1 = (0.0, 1.0) if shares else (y0, y1)

    def at(x: float, y: float) -> tuple[float, float]:
        return (LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM))

    drawn = [f"<path d='M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}' fill='none' stroke='#999'/>"]
    last = TOP - 20.0
    for name, (xs, ys) in sorted(places.items(), key=lambda item: -item[1][1][-1]):
        points = [at(x, y) for x, y in zip(xs, ys, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        last = max(points[-1][1], last + 17)
        drawn.append(f"<polyline points='{path}' fill='none' stroke='{TWINS[name]}' stroke-width='2'/>"
                     f"<text x='{points[-1][0] + 6:.1f}' y='{last + 4:.1f}' fill='{TWINS[name]}'>{name}</text>")
    for axis, (low, high) in enumerate(((x0, x1), (y0, y1))):
        for value, anchor in ((low, "start"), (high, "end")):
            number = f"{10**value:,.0f}" if axis == 0 else percent(value) if shares else short(10**value)
            x, y = at(value, y0) if axis == 0 else at(x0, value)
            drawn.append(f"<text x='{x:.1f}' y='{y + 18:.1f}' text-anchor='{anchor}'>{number}</text>" if axis == 0 else
                         f"<text x='{x - 6:.1f}' y='{y + 5:.1f}' text-anchor='end'>{number}</text>")
    drawn.append(f"<text x='{(LEFT + WIDTH - RIGHT) / 2}' y='{HEIGHT - 6}' text-anchor='middle'>{x_title}</text>")
    return (f"<figure><svg viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' font-size='14' font-family='system-ui' "
            f"role='img' aria-label='{title}'>{''.join(drawn)}</svg><figcaption>{title}</figcaption></figure>")


def _ends(parts: Sequence[np.ndarray]) -> tuple[float, float]:
    low, high = min(part.min() for part in parts), max(part.max() for part in parts)
    return (low, high) if high > low else (low - 0.5, high + 0.5)
