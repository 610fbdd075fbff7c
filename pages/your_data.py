"""Your data: a visitor's own inputs, or a real network's layers, diagnosed; an example until there are some."""
import streamlit as st

from zz_view import controls, page
from zz_view import diagnosis_runs as runs
from zz_view import diagnosis_sources as sources
from zz_view import diagnosis_views as views
from zz_view import diagnosis_words as words

controls.current()
st.title("Does it happen in mine?", anchor=False)
answer = st.empty()
source, size, layer_place, target_place = st.columns(4, vertical_alignment="bottom")
with size:
    batch = views.batch_size()
brought = st.container()
with source:
    held = sources.current(brought)
picture = st.container()
found, layers, layer = None, {}, ""
with picture:
    if held is not None and held.recording.layers:
        layers = runs.overview(held)
        with layer_place:
            layer = views.choose_layer(held, layers)
        found = views.diagnosis(held, layer, batch, target_place)
    if found is not None:
        answer.markdown(words.answer(found, layer))
        views.pictures(found)
        page.numbers(words.numbers(found))
        views.verdict(found)
if held is not None:
    views.left_out(held)
    if found is not None:
        views.layers(layers, layer)
    views.gradients(held)
    if found is not None:
        views.reasons(found)
        views.share(held, layer, found)
views.recorders()
page.explanations(__file__)
