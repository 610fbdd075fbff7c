"""Geometry: where the mean lies, where the target lies, how many dimensions, how long the steps."""
import streamlit as st

from zz_core import geometry
from zz_core.theory import cone_detour
from zz_view import controls, page, questions, runs, share
from zz_view import geometry_views as views
from zz_view import geometry_words as words
from zz_view.predict import predict
from zz_view.theme import CENTERED, RAW

experiment = controls.current()
base = runs.get(experiment)
color = RAW if experiment.treatment == "none" else CENTERED
spread, centering = geometry.spread_of(base.task), geometry.centering_shift(base.task)

head = st.container()
low, high, step = views.SHIFTS
shift = st.slider("Mean shift, in standard deviations", low, high, 0.0, step, key="mean_shift", bind="query-params",
                  disabled=spread == 0,
                  help="Moves the mean of what the neuron receives, after activation and treatment, in the direction "
                       "in which it lies. Targets follow, so that the best weights stay. 0 leaves the run as it is.")
shift = 0.0 if spread == 0 else shift
run, summary, curvature = views.moved(experiment, shift)
one_sign = float("nan") if run.optimum is None else cone_detour(run.optimum - run.task.start)

with head:
    page.header("When does it zig-zag, and when not?",
                words.answer(shift - centering, run, curvature, summary, one_sign))
words.notes(run)
if shift:
    words.shift_note(experiment.treatment)

if experiment.dimensions == 1:
    st.info("One weight moves on a line: there is no angle and no cone. Set **Dimensions** to 2 or more to see them.",
            icon=":material/info:")
else:
    views.draw_cloud_and_plane(experiment, run, base, color, summary)
words.numbers(run, curvature, summary, one_sign)

fraction, reason = geometry.rate_fraction(run), words.no_sweep(run)
st.header("Where the target lies", anchor=False)
if reason:
    st.info(reason, icon=":material/info:")
else:
    views.draw_angles(experiment, run, shift, fraction, color)
st.header("How many dimensions", anchor=False)
views.draw_dimensions(experiment, fraction)
st.header("How long the steps", anchor=False)
if reason:
    st.info(reason, icon=":material/info:")
else:
    views.draw_map(experiment, run, shift, color)
if experiment.dimensions > 1:
    views.draw_invariance(experiment, shift)
if (question := questions.straight_along_the_mean(experiment)) is not None:
    predict("along_the_mean", question)
page.explanations(__file__)
share.share({"run": run}, experiment)
