"""A page to hand out: the picture of the run, its numbers, questions to answer, and where to find it again.

One self-contained HTML file, laid out for one sheet of A4 or Letter. The answers are on the screen, not on paper.
"""
import re
from collections.abc import Mapping
from html import escape
from math import isnan

from zz_core import Experiment, Run, __version__
from zz_core.experiment import DEFAULTS, ignored_fields
from zz_core.stability import condition, eigenvalues
from zz_core.summary import Summary, summarize_twins
from zz_view import page, questions
from zz_view.exports.citation import cited
from zz_view.exports.svg import plane_svg
from zz_view.fields import COMMON, label
from zz_view.figures.trajectories import PlanePicture
from zz_view.predict import Question

STYLE = """
@page { margin: 10mm 14mm }
* { box-sizing: border-box }
body { font: 9.5pt/1.32 "Helvetica Neue", Arial, "Liberation Sans", sans-serif; color: #222; background: #fff;
       margin: 0 auto; max-width: 182mm; padding: 6mm 0 }
h1 { font-size: 17pt; line-height: 1.15; margin: 0 0 1.5mm }
h2 { font-size: 11.5pt; margin: 3.5mm 0 1.5mm }
p { margin: 0 0 1.5mm }
.name { float: right; border-bottom: 1px solid #555; width: 58mm; height: 7mm; color: #555; font-size: 9pt }
.planes { display: flex; justify-content: space-around; gap: 3mm; margin: 2mm 0 }
.planes svg { flex: 0 1 66mm; min-width: 0; height: auto }
table { border-collapse: collapse; width: 100%; margin-bottom: 2mm; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .7mm 3mm .7mm 0; border-bottom: 1px solid #ccc; font-weight: 400 }
thead th { border-color: #555; font-size: 8.5pt; color: #444; vertical-align: bottom }
tbody th { white-space: nowrap; font-weight: 600 }
ol { margin: 0; padding-left: 5mm }
ol > li { margin-bottom: 2mm; break-inside: avoid }
.options { display: block; margin: .5mm 0 }
.options span { margin-right: 6mm; white-space: nowrap }
.options span::before { content: "\\2610\\00a0" }
.line { display: block; border-bottom: 1px solid #999; height: 6.8mm; padding-top: 2.6mm; color: #444 }
footer { margin-top: 3mm; padding-top: 1.5mm; border-top: 1px solid #555; font-size: 8pt; color: #444;
         overflow-wrap: anywhere }
footer a { color: inherit }
details { margin-top: 6mm; background: #f2f3f5; padding: 3mm 4mm; border-radius: 2mm }
summary { cursor: pointer; font-weight: 600 }
button { font: inherit; padding: 1mm 3mm; margin-bottom: 3mm }
@media print { body { padding: 0; max-width: none } details, button { display: none } }
@media (max-width: 640px) { body { padding: 4mm } .planes { flex-wrap: wrap } .planes svg { flex: 1 0 60mm }
  .name { float: none } .table { overflow-x: auto } }
"""
LINE = '<span class="line">{}</span>'


def handout(runs: Mapping[str, Run], pictures: Mapping[str, PlanePicture], experiment: Experiment, link: str) -> str:
    """The page as HTML; pictures may be empty, where there is no plane to draw."""
    names, sums = list(runs), summarize_twins(*runs.values())
    asked = _questions(names[0].partition(",")[0], runs[names[0]])  # raw, not "raw, 1 sample a step"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Zig-Zag Lab: handout</title><style>{STYLE}</style></head><body><main>
<button onclick="print()">Print this page</button>
<div class="name">Name</div>
<h1>Does it zig-zag, and is it slow?</h1>
<p>{_introduction(experiment, runs)}</p>
<div class="planes">{_planes(names, sums, pictures)}</div>
{_numbers(names, runs, sums)}
<p>{_settings(experiment)}</p>
<h2>Questions</h2>
<ol>{"".join(map(_ask, asked))}{"".join(map(_task, _tasks(experiment, names)))}</ol>
<footer>Open this experiment: {_linked(link)}<br>Cite it as: {escape(cited())} Settings that are not listed are the
defaults of version {escape(__version__)}.</footer>
<details><summary>Answers (on the screen only, never printed)</summary><ol>{"".join(map(_answer, asked))}</ol></details>
</main></body></html>
"""


def _introduction(experiment: Experiment, runs: Mapping[str, Run]) -> str:
    """What was trained, in two sentences."""
    weights = experiment.dimensions
    text = (f"A neuron with {weights} weight{'s' * (weights > 1)}, f = w·x, learns from {experiment.rows} samples by "
            "gradient steps on the loss L. One sample's gradient is ∂L/∂f times its inputs: one number for all.")
    if len(runs) > 1:
        text += " The runs below differ only in what their names say."
    return text


def _planes(names: list[str], sums: list[Summary], pictures: Mapping[str, PlanePicture]) -> str:
    drawn = []
    for k, name in enumerate(names):
        if name in pictures:
            ratio = page.two_digits(sums[k].path_ratio[0], "x")
            words = f"Path of the weights on the contours of the loss, {name}: {ratio} the straight line."
            drawn.append(plane_svg(pictures[name], name[0].upper() + name[1:], words, f"plane-{k}",
                                   edge=300 if len(pictures) < 3 else 150))
    return "".join(drawn)


def _numbers(names: list[str], runs: Mapping[str, Run], sums: list[Summary]) -> str:
    goal = "excess loss" if sums[0].by_loss else "distance"
    head = ("run", "path / straight line", "gradients with one sign", f"steps to 1&nbsp;% of the {goal}",
            "condition number κ", "learning rate")
    rows = []
    for name, found in zip(names, sums, strict=True):
        run = runs[name]
        kappa = condition(eigenvalues(run.experiment, run.task))
        cells = (page.two_digits(found.path_ratio[0], "x"), page.percent(found.same_sign[0]),
                 page.count(found.steps[0]), page.two_digits(kappa),
                 "line search" if isnan(run.learning_rate) else f"{run.learning_rate:.3g}")
        rows.append(f"<tr><th scope='row'>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    heads = "".join(f"<th scope='col'>{cell}</th>" for cell in head)
    return (f"<div class='table'><table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>")


def _settings(experiment: Experiment) -> str:
    """The controls of the sidebar, and whatever else was changed; what does not apply is left out."""
    ignored, first = ignored_fields(experiment), [name for row in COMMON for name in row]
    changed = [name for name in DEFAULTS if getattr(experiment, name) != DEFAULTS[name]]
    shown = [name for name in dict.fromkeys([*first, *changed]) if name not in ignored]
    return "Settings: " + ", ".join(f"{escape(label(name).lower())} <b>{escape(str(getattr(experiment, name)))}</b>"
                                    for name in shown) + "."


def _questions(name: str, run: Run) -> list[Question]:
    """The three misunderstandings that everyone brings along, asked about the first run."""
    asked = questions.both_down, questions.slope_of_a_loss, questions.same_sign_forever
    return [ask(run, name) for ask in asked]


def _ask(question: Question) -> str:
    options = "".join(f"<span>{escape(option)}</span>" for option in question.options)
    return f'<li>{_marked(question.ask)}<span class="options">{options}</span>{LINE.format("Why?")}</li>'


def _task(task: str) -> str:
    return f"<li>{task}{LINE.format('') * 2}</li>"


def _answer(question: Question) -> str:
    shown = "None of the three" if question.shown is None else question.shown
    return (f"<li><b>{escape(shown)}.</b> Measured: {_marked(question.measured)} {_marked(question.why)}</li>")


def _tasks(experiment: Experiment, names: list[str]) -> list[str]:
    """To do with the link at hand, the prediction first."""
    other = "1" if experiment.full_batch else f"{experiment.rows}, the full batch"
    tasks = [f"Predict first, then open the link and set the batch size to <b>{other}</b>. Which numbers of the table "
             "change, which do not, and why?"]
    if len(names) > 1:
        tasks.append(f"“{escape(names[0])}” and “{escape(names[1])}”: which of their differences come from the signs "
                     "of single gradients, and which from the condition number?")
    else:
        tasks.append("Predict first, then set the treatment to <b>center</b>. What becomes of the path, and of κ?")
    return tasks


def _marked(text: str) -> str:
    """Markdown's emphasis as HTML."""
    return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", escape(text)))


def _linked(link: str) -> str:
    return f'<a href="{escape(link)}">{escape(link)}</a>' if link.startswith(("http://", "https://")) else escape(link)
