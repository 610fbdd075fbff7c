"""Batch averaging: one batch as arrows, then mixed signs, path and steps at every batch size."""
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import streamlit as st

from zz_core import batching
from zz_core.experiment import log2_options
from zz_view import controls, page, questions, runs, share
from zz_view.batch_views import change, draw_batches, draw_shares, draw_sweeps, ends, is_swept, swept, times
from zz_view.figures.batch_averaging import sweep_title
from zz_view.hosting import heavy
from zz_view.predict import predict

SECONDS = 8.0  # that the runs at all batch sizes may take

experiment = controls.current()
rows, sizes = experiment.rows, batching.batch_size_options(experiment.rows)
names, twins = runs.twin_names(experiment), runs.twins(experiment)
pair = {name: runs.get(twin) for name, twin in zip(names, twins, strict=True)}
# at every batch size the same fraction of its stability limit, so the sidebar's batch size does not matter here
specs = tuple(replace(batching.with_fraction(twin), batch_size=1) for twin in twins)
replicates, seconds = batching.affordable_replicates(specs, sizes, SECONDS, runs.BUDGET_BYTES)
if not replicates:
    runs.refuse(f"Runs at {len(sizes)} batch sizes would take about {seconds:.0f} s here: lower **Steps**, **Samples** "
                "or **Dimensions**.")
long = seconds > heavy.NOTICEABLE_SECONDS and not is_swept(specs, sizes, replicates)
with (heavy.slot_if(long, "Training at all batch sizes", seconds),
      st.spinner(f"Training at {len(sizes)} batch sizes, about {seconds:.0f} s …") if long else nullcontext()):
    sweeps = dict(zip(names, swept(specs, sizes, replicates), strict=True))
raw, twin = sweeps.values()
verdict, span = sweep_title(sweeps), f"B = 1 → {rows}"
walked = (f"{change(raw.path_ratio, times, 'goes', 'is')} the straight line" if np.isfinite(raw.path_ratio).any()
          else "does not move")
page.header("What does adding gradients over a batch mend, and what not?",
            f"From one sample a step to all {rows}, the raw path {walked}, its steps to 1 % "
            f"{change(raw.steps, page.count, 'go', 'are')}; {names[1]}, the steps "
            f"{change(twin.steps, page.count, 'go', 'are')}. {verdict}.")
runs.warn_of_divergence(pair)
runs.note_lone_batch_norm(experiment)
picture = page.coming("one_batch")
page.numbers([
    page.Number(f"Updates with mixed signs, {span}", ends(raw.mixed_updates, page.percent),
                f"{names[1]} {ends(twin.mixed_updates, page.percent)}", f"Medians of {replicates} seeds, to arrival."),
    page.Number(f"Path / straight line, {span}", ends(raw.path_ratio, times),
                f"{names[1]} {ends(twin.path_ratio, times)}"),
    page.Number(f"Steps to 1 % of the {'excess loss' if raw.by_loss else 'distance'}, {span}",
                ends(raw.steps, page.count), f"{names[1]} {ends(twin.steps, page.count)}")])
controlled = st.container(horizontal=True)
step = controlled.slider("Step shown", 1, max(2, experiment.steps), 1, key="step_shown", bind="query-params")
options = log2_options(rows)
size = controlled.select_slider("Samples shown", options, max(n for n in options if n <= 32), key="batch_shown",
                                bind="query-params", disabled=experiment.batch_size > 1,
                                help="A run with one sample a step has no batch of its own: the others are drawn at "
                                     "the weights of that step. With a larger batch size you see the run's own batch.")
if experiment.dimensions == 1:
    picture.info("One weight has only one sign at a time: with two or more, you see signs mix.", icon=":material/info:")
else:
    with picture:
        note = draw_batches(pair, min(step, experiment.steps) - 1, size)
    st.markdown(note)
    draw_shares(dict(zip(names, twins, strict=True)))
draw_sweeps(sweeps, specs[0], replicates)
predict("what_a_batch_saves", questions.what_a_batch_saves(raw, names[0]))
page.explanations(__file__)
share.share(pair, experiment)
