"""Gradient signs: which weights go up and down together at each step, and the chain rule behind it."""
import numpy as np
import streamlit as st

from zz_core.measures import unanimous_by_chance
from zz_view import controls, inspector, page, questions, runs, share, sign_series
from zz_view.board import Chart, board
from zz_view.figures.signs import MOST_CELLS, same_sign_figure, sign_heatmap_figure
from zz_view.predict import predict

experiment = controls.current()
names = runs.twin_names(experiment)
pair = {name: runs.get(twin) for name, twin in zip(names, runs.twins(experiment), strict=True)}
dimensions, steps = experiment.dimensions, experiment.steps

head = st.container()
with st.container(horizontal=True, vertical_alignment="bottom"):
    kind = st.segmented_control(
        "Signs of", list(sign_series.VECTORS), default="sample", required=True, key="vectors", bind="query-params",
        help="sample: the gradient of the first sample of each step's batch. batch: the mean gradient over the batch. "
             "update: what the step adds to the weights, which under plain descent has the opposite signs.")
    wanted = st.segmented_control("Steps shown", [25, 100, 400], default=25, required=True, key="columns",
                                  bind="query-params", help="Up to 25 steps, each cell carries its sign.")
    first = st.number_input("From step", 1, steps, 1, step=25, key="first_step", bind="query-params",
                            required=True, disabled=steps <= wanted, width=170)
columns = min(wanted, steps, max(1, MOST_CELLS // dimensions))
start = min(first - 1, steps - columns)
window = slice(start, start + columns)

found = {name: sign_series.signs(run, kind) for name, run in pair.items()}
with head:
    page.header("Why do all the weights move together?", sign_series.answer(pair[names[0]], found, kind))
    runs.warn_of_divergence(pair)

charts = []
for name, key in zip(names, ("signs_raw", "signs_twin"), strict=True):
    same = found[name].same[window]
    counted = int(np.isfinite(same).sum())
    agreed = f"one sign in {np.nansum(same):.0f} of {counted} steps" if counted else "no step here that counts"
    figure = sign_heatmap_figure(sign_series.vectors_of(pair[name], kind, window.start, window.stop),
                                 f"{name.capitalize()}: {agreed}", sign_series.VECTORS[kind], start + 1, columns,
                                 found[name].arrived)
    charts.append(Chart(figure, key, f"Signs of the {sign_series.VECTORS[kind]} for each of {dimensions} weights at "
                                     f"steps {start + 1} to {window.stop}, {name}: {agreed}.", link="signs"))
board(charts, "signs", group="signs")
page.numbers([
    *(page.Number(f"One sign, {name}", page.percent(found[name].share), f"of {found[name].counted:,} counted steps",
                  f"Share of steps whose {sign_series.VECTORS[kind]} has one sign in all components that are not zero.")
      for name in names),
    page.Number("One sign by chance", sign_series.chance_words(dimensions), sign_series.patterns_words(dimensions),
                "2 to the power of 1 − D: if each of the D signs were a fair coin.")])
st.markdown(" ".join([sign_series.what_is_shown(pair[names[0]], kind, window.start, window.stop),
                      *sign_series.notes(pair, found)]))
shares = same_sign_figure({name: series.same for name, series in found.items()}, unanimous_by_chance(dimensions),
                          sign_series.VECTORS[kind], {name: series.arrived for name, series in found.items()})
alt = (f"Share of steps with one sign along the run: {names[0]} {page.percent(found[names[0]].share)}, {names[1]} "
       f"{page.percent(found[names[1]].share)}, by chance {sign_series.chance_words(dimensions)}.")
board([Chart(shares, "same_sign", alt)], "same_sign_board", group="signs")

predict("both_down", questions.both_down(pair[names[0]], names[0]))
predict("same_sign", questions.same_sign_forever(pair[names[0]], names[0]))

st.header("One step, multiplied out", anchor=False)
with st.container(horizontal=True, vertical_alignment="bottom"):
    step = st.number_input("Step", 1, steps, 1, key="inspect_step", bind="query-params", required=True, width=170)
    name = names[st.toggle(f"Of the {names[1]} run", key="inspect_twin", bind="query-params")]
inspector.draw(pair[name], found[name], step)
page.explanations(__file__)
share.share(pair, experiment)
