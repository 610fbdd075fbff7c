"""Deep network: a real network on real data, its layers' gradient signs, and what their inputs' means cost."""
import streamlit as st

from zz_view import controls, network_controls, network_runs, network_views, page, questions
from zz_view import network_words as words
from zz_view.predict import predict

controls.current()
st.title("Does it happen in a real network on real data?", anchor=False)
answer = page.coming("coming_answer")
experiment = network_controls.current()
run = network_runs.trained(experiment)
picture, row = st.container(), st.container()
with picture:
    network_runs.warn(run)
    network_views.curves(run)
head_room, at_steps = network_runs.head_room(run)
answer.markdown(words.verdict(run, head_room))
with row:
    page.numbers([page.Number(*number) for number in words.numbers(run, head_room)])
    st.caption("This page has its own controls, above; those of the sidebar are the single neuron's and change nothing "
               "here.")
network_views.signs_and_batches(run, experiment)
predict("last_layer", questions.last_layer(run))
network_views.inputs(run, head_room, at_steps)
network_views.comparison(experiment)
network_views.calculator()
page.explanations(__file__)
network_runs.share(run, experiment)
