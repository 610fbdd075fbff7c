"""Trajectories: the path of the weights, raw beside zero-centered, with a player for its steps."""
import numpy as np
import streamlit as st

from zz_core.measures import unanimous_by_chance
from zz_core.summary import summarize_twins
from zz_view import compare, controls, handles, page, questions, runs, share
from zz_view.board import Chart, board, point
from zz_view.figures.trajectories import loss_figure, plane_figure
from zz_view.pictures import plane_marks, plane_pictures, positions, step_words, theory_words
from zz_view.predict import predict
from zz_view.theme import CENTERED, RAW

experiment = controls.current()
body = page.coming("paths")
others = st.slider("Other seeds, as faint lines", 0, 20, key="other_seeds", bind="query-params",
                   help="One path is an anecdote: this adds the same experiment with other draws of the samples.")

names = left, right = runs.twin_names(experiment)
found = dict(zip(names, runs.get_with_bands(runs.twins(experiment), 1 + others), strict=True))
pair = {name: run for name, (run, _) in found.items()}
colors = dict(zip(names, (RAW, CENTERED), strict=True))
sums = dict(zip(names, summarize_twins(*pair.values()), strict=True))
ratio = {name: page.two_digits(s.path_ratio[0], "x") for name, s in sums.items()}
walked = {name: page.walk(s.path_ratio[0], pair[name].diverged_at[0]) for name, s in sums.items()}
steps = {name: page.in_steps(s.steps[0]) for name, s in sums.items()}
same = {name: page.percent(s.same_sign[0]) for name, s in sums.items()}
known = all(run.optimum is not None for run in pair.values())
what = "excess loss" if known else "loss"
losses = {name: (run.excess_losses() if known else run.losses())[0] for name, run in pair.items()}
rows, theory = positions(pair[left]), {name: runs.prediction(run) for name, run in pair.items()}
expected = {name: prediction for name, prediction in theory.items() if prediction}
bands = {name: band for name, (_, band) in found.items() if name in expected and band is not None}

with body:
    page.header("What does the path of the weights look like?",
                f"From the same start to the same target, the {left} path {walked[left]}, the {right} path "
                f"{walked[right]}.")
    runs.warn_of_divergence(pair)
    runs.note_lone_batch_norm(experiment)
    if experiment.dimensions == 1:
        st.info("One weight moves on a line: there is no plane to draw. Set dimensions to 2 or more to see a path.",
                icon=":material/info:")
    else:
        keys = dict(zip(names, ("plane_raw", "plane_twin"), strict=True))
        kept = handles.kept_windows(experiment)
        pictures = plane_pictures(pair, colors, {name: each.weights for name, each in expected.items()},
                                  {name: kept.get(key) for name, key in keys.items()})
        grips = {name: handles.on_plane(experiment, run) for name, run in pair.items()}
        titles = {name: page.in_title(words) for name, words in walked.items()}
        board([Chart(plane_figure(pictures[name], f"{name.capitalize()}: {titles[name]}"), key,
                     f"Path of the {name} weights over {experiment.steps} steps on the contours of the loss: "
                     f"{titles[name]}, {same[name]} of its gradients with one sign.",
                     plane_marks(pair[name], pictures[name], rows), "planes", grips[name])
               for name, key in keys.items()],
              "planes", step_words(pair, rows), on_place=handles.placing(experiment, "planes"))
    page.numbers([
        page.Number("Path length / straight line", ratio[left], f"{right} {ratio[right]}",
                    "Measured until the weights are within 0.1 % of their start distance."),
        page.Number("Steps to 1 % " + ("of the excess loss" if sums[left].by_loss else "of the distance"),
                    page.count(sums[left].steps[0]), f"{right} {page.count(sums[right].steps[0])}",
                    "For good: a run that draws samples must stay there for 20 steps."),
        page.Number("Gradients with one sign", same[left],
                    f"{right} {same[right]}, chance {page.percent(unanimous_by_chance(experiment.dimensions))}")])
    rings = [point(np.column_stack([pair[name].step_index, losses[name]])[rows], colors[name]) for name in names]
    curves = loss_figure(pair[left].step_index, losses, colors, what, f"The {what} of the same two runs",
                         {name: each.excess for name, each in expected.items()}, bands)
    alt = f"{what.capitalize()} against the step, {left}: {steps[left]} to 1 %, {right}: {steps[right]}."
    board([Chart(curves, "losses", alt, rings)], "loss_curves", positions=len(rows))
    draggable = handles.words(experiment, grips) + " " if experiment.dimensions > 1 else ""
    st.caption(draggable + theory_words(pair, bool(bands)))
compare.compare(experiment)
predict("slope_of_a_loss", questions.slope_of_a_loss(pair[left], left))

page.explanations(__file__)
share.share(pair, experiment)
