"""The chain rule of one step in the numbers of a run: dL/df, a scalar, times x, a vector; as a table and in words."""
from typing import NamedTuple

import numpy as np
import streamlit as st

from zz_core import Run, measures
from zz_core.experiment import Experiment
from zz_core.losses import LOSSES
from zz_core.neuron import build_neuron
from zz_core.optimizers import OPTIMIZERS
from zz_core.schedules import SCHEDULES
from zz_core.treatments import TREATMENTS
from zz_view.figures.signs import sign_codes, weight_name
from zz_view.sign_series import Signs, vectors_of
from zz_view.theme import MINUS, PLUS, SIGN_GLYPHS, ZERO

ROWS = 8  # weights that the table lists; the rest is summed up
SLOPES = {"squared": "f − y", "logistic": "σ(f) − y", "sigmoid_squared": "(σ(f) − y) · σ′(f)"}


class ChainRule(NamedTuple):
    """One step: dL/dw = dL/df * x for the first sample of its batch, and what became of it. Vectors are (D,)."""

    step: int
    sample: int  # its row in the data set
    output: float  # f
    target: float  # y
    slope: float  # dL/df
    inputs: np.ndarray  # df/dw: x as the neuron sees it
    batch_gradient: np.ndarray
    update: np.ndarray

    @property
    def gradient(self) -> np.ndarray:
        return self.slope * self.inputs


def chain_rule(run: Run, step: int) -> ChainRule:
    """The chain rule at step 1 to T of the run's first replicate; NaN after a divergence."""
    row, dimensions = step - 1, run.inputs.shape[1]
    batch = None if run.batches is None else run.batches[0, row]
    sample = 0 if batch is None else int(batch[0])
    x = build_neuron(run.experiment, run.task).gather(batch)[0, :dimensions]
    if run.input_biases is not None:
        x = x + run.input_biases[0, row]
    output = run.weights[0, row] @ x + (0.0 if run.biases is None else run.biases[0, row])
    slope = LOSSES[run.experiment.loss].slope(output, run.targets[sample])
    return ChainRule(step, sample, float(output), float(run.targets[sample]), float(slope), x,
                     *(vectors_of(run, kind, row, step)[0] for kind in ("batch", "update")))


def written(value: float, plus: str = "+") -> str:
    """Three digits with a true minus; plus="" leaves the plus of a positive number out."""
    return "0" if value == 0 else f"{plus if value > 0 else '−'}{abs(value):.3g}".replace("e-", "e−")


def _cell(value: float, code: int) -> str:
    """A number behind a square in its sign's color; the code is sign_codes'."""
    square = f"display:inline-block;width:.7em;height:.7em;background:{(MINUS, ZERO, PLUS)[code]}"
    number = "0" if code == 1 else written(value)
    return f'<span style="white-space:nowrap"><span style="{square}"></span> {number}</span>'


def sign_words(codes: np.ndarray) -> str:
    """'all +', or the count of each sign."""
    words = SIGN_GLYPHS | {0: "zero"}  # "3 zero", since "3 0" would read as thirty
    found = {word: count for sign, word in words.items() if (count := int((codes == 1 + sign).sum()))}
    if len(found) == 1:
        return f"all {next(iter(found))}" if len(codes) > 1 else next(iter(found))
    return ", ".join(f"{count} {word}" for word, count in found.items())


def chain_table(rule: ChainRule, input_name: str, batch_size: int) -> str:
    """The chain rule as an HTML table, one row a weight: the same scalar in each row, times another input."""
    columns = {f"· {input_name}": rule.inputs, "= ∂L/∂wⱼ": rule.gradient}
    if batch_size > 1:
        columns[f"mean of {batch_size}"] = rule.batch_gradient
    columns["update Δwⱼ"] = rule.update
    codes = [sign_codes(values) for values in columns.values()]
    slope = _cell(rule.slope, 1 + int(np.sign(rule.slope)))
    dimensions = len(rule.inputs)
    rows = [[weight_name(j + 1), slope, *(_cell(v[j], c[j]) for v, c in zip(columns.values(), codes, strict=True))]
            for j in range(min(ROWS, dimensions))]
    if dimensions > ROWS:
        rows.append([f"{dimensions - ROWS} more", "the same", *(sign_words(c[ROWS:]) for c in codes)])
    rows.append(["signs", sign_words(np.array([1 + int(np.sign(rule.slope))])), *(sign_words(c) for c in codes)])
    rows.append(["shape", "()", *(f"({dimensions},)" for _ in columns)])
    return _html_table(["w", "∂L/∂f", *columns], rows)


def _html_table(head: list[str], rows: list[list[str]]) -> str:
    """Rows of cells, the first of each its heading; narrower cells than Markdown's, so that a phone shows five."""
    style = 'style="padding:.4rem .35rem"'
    lines = ["".join(f'<th scope="col" {style}>{cell}</th>' for cell in head)]
    lines += [f'<th scope="row" {style}>{first}</th>' + "".join(f"<td {style}>{cell}</td>" for cell in rest)
              for first, *rest in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    # on a phone the table scrolls in its own box, not the page; tabindex: by keyboard as well
    return f'<div style="overflow-x:auto" tabindex="0"><table>{body}</table></div>'


def input_name(experiment: Experiment) -> str:
    treatment = TREATMENTS[experiment.treatment]
    return "(xⱼ + bⱼ)" if treatment.learned else "x̂ⱼ" if treatment.per_batch else "xⱼ"


def chain_words(rule: ChainRule, experiment: Experiment) -> tuple[str, str]:
    """What is multiplied at this step, and what follows for the signs."""
    name = input_name(experiment)
    formula = f"{SLOPES[experiment.loss]} = " if experiment.loss in SLOPES else ""
    lead = (f"Step {rule.step} uses sample {rule.sample}{'' if experiment.batch_size == 1 else ' first'}: "
            f"f = {written(rule.output, '')}, y = {written(rule.target, '')}, so "
            f"∂L/∂f = {formula}**{written(rule.slope)}**, one scalar for all weights. It multiplies {name}, a vector.")
    codes = sign_codes(rule.inputs)
    if rule.slope == 0 or not rule.inputs.any():
        return lead, "One of the two is zero, so this sample asks for no change."
    if not measures.unanimous(rule.inputs):
        return lead, (f"{name} has both signs ({sign_words(codes)}), so the gradient has both, too, whichever sign "
                      "∂L/∂f has.")
    sign, opposite = ("positive", "negative") if rule.slope > 0 else ("negative", "positive")
    inputs = "positive" if (codes == 2).any() else "negative"
    zeros = ", zeros aside" if (codes == 1).any() else ""
    return lead, (f"All {name} are {inputs}{zeros}, and ∂L/∂f is {sign}: so every ∂L/∂wⱼ is "
                  f"{sign if inputs == 'positive' else opposite}{zeros}.")


def update_words(rule: ChainRule, run: Run) -> str:
    """How the update of the step follows from its gradient."""
    spec = run.experiment
    if not rule.update.any():
        return "No weight moves at this step."
    if spec.optimizer == "sgd":
        rate = run.learning_rate * SCHEDULES[spec.schedule](spec.steps)[rule.step - 1]
        return (f"The update is −{rate:.3g} times the {'gradient' if spec.batch_size == 1 else 'mean gradient'}, "
                "so its signs are the opposite ones.")
    opposite = int((np.sign(rule.update) == -np.sign(rule.batch_gradient)).sum())
    return (f"The update is that of {OPTIMIZERS[spec.optimizer].label}: {opposite} of its {len(rule.update)} signs are "
            "opposite to the batch gradient's.")


def flip_words(signs: Signs, together: bool) -> str:
    """How often the one number that all weights share changed its sign; together: it then turns all of them around."""
    counted = int((signs.slopes != 0).sum())
    if counted < 2:
        return ""
    if not signs.flips:
        return "In this run ∂L/∂f keeps its sign in all steps that count, so nothing turns around."
    times = "once" if signs.flips == 1 else f"{signs.flips:,} times"
    return ("The loss is the same function at every step, yet in this run ∂L/∂f is positive in "
            f"{(signs.slopes > 0).sum():,} steps and negative in {(signs.slopes < 0).sum():,}, and changes sign {times}"
            f"{': each change turns all components around together' if together else ''}.")


def keeps_one_sign(run: Run) -> bool:
    """Whether no input that the neuron sees is negative, so that each sample's gradient has one sign."""
    treatment = TREATMENTS[run.experiment.treatment]
    return not (treatment.learned or treatment.per_batch) and bool((run.inputs >= 0).all())


def draw(run: Run, signs: Signs, step: int) -> None:
    """The chain rule of one step: what is multiplied, the table, what follows, and how often its sign changed."""
    rule = chain_rule(run, step)
    if not np.isfinite([rule.output, rule.slope, *rule.update]).all():
        st.info(f"The run has diverged before the end of step {step}: choose an earlier step.", icon=":material/info:")
        return
    lead, consequence = chain_words(rule, run.experiment)
    st.markdown(lead)
    st.markdown(chain_table(rule, input_name(run.experiment), run.experiment.batch_size), unsafe_allow_html=True)
    st.markdown(" ".join([consequence, update_words(rule, run), flip_words(signs, keeps_one_sign(run))]))
