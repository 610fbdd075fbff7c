"""Saturation: what a saturated start costs, beside what inputs that are not zero-centered cost."""
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from zz_core.experiment import DEFAULTS
from zz_core.saturation import MOST_SAMPLES, SaturationSweep, sweep_start_bias, underflow
from zz_view import controls, page, questions, runs, share
from zz_view import saturation_words as words
from zz_view.board import Chart, board
from zz_view.figures import saturation as figures
from zz_view.hosting import heavy
from zz_view.hosting.caches import Cache
from zz_view.predict import predict

STARTS, LOSSES = np.arange(0.0, 11.0), ("sigmoid_squared", "logistic")
NOT_USED = ("target", "noise", "bias", "start_bias", "start_along", "start_across", "loss", "optimizer", "momentum",
            "decay", "damping", "batch_size", "sampling", "schedule", "steps", "seed")
SECONDS = 1.0  # about what they take; the core bounds their work
TEXTBOOK = {"inputs": "factorial", "dimensions": 8, "distance": 6.0, "target_angle": 45.0, "learning_rate": 0.62,
            "rate_unit": "critical", "treatment": "none", "batch_size": 1}


@st.cache_resource(show_spinner=False)
def kept() -> Cache[dict[str, SaturationSweep]]:
    return Cache("saturation", 32 * 2**20)


def table() -> pd.DataFrame:
    """One row for each loss, kind of inputs and start bias."""
    return pd.concat([pd.DataFrame({"loss": loss, "inputs": name, "start_bias": sweep.starts, "steps": escapes.steps,
                                    "predicted_steps": escapes.predicted, "predicted_delay": escapes.delays})
                      for loss, sweep in sweeps.items()
                      for name, escapes in zip(names, (sweep.raw, sweep.twin), strict=True)], ignore_index=True)


experiment = controls.current()
names = runs.twin_names(experiment)
st.title("Is it really less severe than saturation?", anchor=False)
try:
    used = replace(experiment, **{name: DEFAULTS[name] for name in NOT_USED})
    with (heavy.slot_if(used not in kept(), "This sweep of start biases", SECONDS),
          st.spinner(f"Training from {len(STARTS)} start biases, raw and {names[1]}, with two losses …")):
        sweeps = kept().get(used, lambda: sweep_start_bias(used, LOSSES, STARTS))
except ValueError as error:
    runs.refuse(runs.readable(error))
squared, entropy = sweeps.values()
st.markdown(words.verdict(sweeps, names))
fraction = max(escapes.fraction for sweep in sweeps.values() for escapes in (sweep.raw, sweep.twin))
if fraction > 1:
    st.warning(f"The learning rate is up to {fraction:.2g} times the stability limit: lower it to see all runs arrive.",
               icon=":material/warning:")
picture, row = st.container(), st.container()
start = st.slider("Start bias z₀ of the pictures below", 0, int(STARTS[-1]), 8, key="bias_shown", bind="query-params")
at = int(np.flatnonzero(STARTS == start)[0])
limits = figures.step_range(sweeps)
titles = words.squared_title(squared), words.entropy_title(entropy, names[1])
with picture:
    board([Chart(figures.steps_figure(sweep, names, title, limits, start), loss,
                 f"Steps against the start bias. {title}. At 0: raw {page.in_steps(sweep.raw.steps[0])}, {names[1]} "
                 f"{page.in_steps(sweep.twin.steps[0])}; at {start}: {page.in_steps(sweep.raw.steps[at])} and "
                 f"{page.in_steps(sweep.twin.steps[at])}.")
           for (loss, sweep), title in zip(sweeps.items(), titles, strict=True)], "steps_from_saturation")
with row:
    page.numbers([page.Number(*number) for number in words.numbers(sweeps, names, at)])
    st.markdown(words.valley_sentence(entropy))
predict("mean_or_saturation", questions.mean_or_saturation(squared, names))
titles = words.slope_title(start), words.escape_title(squared, names, at)
board([Chart(figures.slope_figure(start, titles[0]), "slope", f"The sigmoid and its slope. {titles[0]}."),
       Chart(figures.escape_figure(sweeps, names, at, titles[1]), "escape",
             f"The mean output over the steps. {titles[1]}.")], "plateau")
(single, tiny), (double, _) = underflow(np.float32), underflow(np.float64)
st.markdown("Worse than a wait: numbers in a computer are rounded. In single precision the sigmoid σ(z) is exactly 1 "
            f"from z = {single:.0f} on (in double, which this page uses, from {double:.0f}). A slope coded as "
            "σ·(1 − σ) is then 0, and the neuron never moves again. On the other side σ(z) itself vanishes only at "
            f"z = −{-tiny:.0f}.")
st.caption(f"One neuron, a teacher whose outputs it can match, saturation through the bias alone. Inputs, teacher, "
           "treatment and learning rate are those of the sidebar. This page sets: both losses, a learned bias, the "
           f"full batch of at most {MOST_SAMPLES} samples, plain SGD at a constant rate, no noise, and a teacher whose "
           "outputs have mean zero; a fraction of the stability limit is that of each loss and of each kind of inputs.")
st.button("Open the textbook design", icon=":material/science:", on_click=controls.put, args=(TEXTBOOK,),
          help="All corners of a cube in eight dimensions, whose condition number is known exactly: only the zig-zag's "
               "own slowness is left.")
page.explanations(__file__)
with st.popover("Share", icon=":material/share:"):
    st.markdown("This link opens the same experiment with the same settings of this page:")
    st.code(share.permalink(experiment), language=None, wrap_lines=True)
    st.download_button("All steps as CSV", lambda: table().to_csv(index=False).encode(), "zig-zag-saturation.csv",
                       "text/csv", icon=":material/table:", on_click="ignore", key="share_csv")
    st.download_button("The experiment as JSON", lambda: share.experiment_json(experiment).encode(),
                       "zig-zag-saturation.json", "application/json", icon=":material/data_object:", on_click="ignore",
                       key="share_json")
