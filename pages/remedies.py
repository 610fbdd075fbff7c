"""Remedies: a race on one task, each remedy at its own best learning rate."""
import streamlit as st

from zz_core.optimizers import OPTIMIZERS
from zz_core.remedies import DEFAULT_LANES, REMEDIES
from zz_view import controls, page, questions
from zz_view import remedies_views as views
from zz_view.figures.remedies import lane_colors
from zz_view.predict import predict
from zz_view.remedies_words import trap_words

experiment = controls.current()
st.title("What fixes it, and at what price?", anchor=False)
picture = page.coming("coming_picture")
with st.container(border=True):
    lanes = st.pills("Remedies in the race, beside doing nothing", list(REMEDIES), default=DEFAULT_LANES,
                     selection_mode="multi", key="lanes", bind="query-params",
                     help="\n".join(f"- `{key}`: {remedy.label}" for key, remedy in REMEDIES.items()))
    left, middle, right = st.columns(3)
    focus = left.selectbox("Look closely at", list(REMEDIES), index=list(REMEDIES).index("center"), key="focus",
                           bind="query-params", help="Its search of a rate is drawn above, its curvatures below.")
    mode = middle.segmented_control(
        "Learning rates", ["best", "fraction"], default="best", required=True, key="rates", bind="query-params",
        width="stretch", help="best: each at its own best rate, searched on other seeds than those shown. fraction: "
                              "all at the sidebar's fraction of their own stability limit; methods without such a "
                              "limit keep their best rate.")
    horizon = right.select_slider("Longest run, in steps", views.HORIZONS, value=2000, key="longest",
                                  bind="query-params", help="Lanes that need more count as not reached.")
    chosen = st.pills("In the pictures of losses and paths, with the one above", list(REMEDIES), default=views.SHOWN,
                      selection_mode="multi", key="shown", bind="query-params",
                      help=f"The first {views.MOST_SHOWN - 1} that you choose are drawn: more can't be told apart.")
    chosen = chosen[: views.MOST_SHOWN - 1]
keys = [key for key in REMEDIES if key in {"nothing", focus, *lanes}]
shown = [key for key in keys if key in {focus, *chosen}]
colors = lane_colors(shown)
fraction = None
if mode == "fraction":
    suits = experiment.rate_unit == "critical" and OPTIMIZERS[experiment.optimizer].critical
    fraction = experiment.learning_rate if suits else 0.25
with picture:
    results = views.run_race(experiment, keys, horizon, fraction, focus, colors)
    views.draw_numbers(results)
views.draw_ways(experiment, results, shown, colors)
views.draw_focus(results, focus, colors)
if (question := questions.momentum_alone(results)) is not None:
    predict("momentum", question)
st.header("What each is easily credited with, and does not do", anchor=False)
st.markdown("\n".join(f"- {item}" for item in trap_words(views.traps(experiment), experiment)))
st.header("All numbers", anchor=False)
views.draw_table(results)
st.caption("Of the sidebar this race takes the inputs, the task, the batch size, the sampling, the seeds, and the "
           "numbers of momentum, decay and damping. It sets the treatment, the optimizer, the schedule and the steps "
           "itself" + (", and the learning rate." if fraction is None else f"; the rate is {fraction:.2g} of each "
                       "lane's stability limit."))
page.explanations(__file__)
views.draw_share(experiment, results, horizon, fraction)
