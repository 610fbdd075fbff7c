"""Your data: a visitor's own inputs, or a real network's layers, diagnosed; an example until there are some."""
import streamlit as st

from zz_view import controls, page
from zz_view import diagnosis_sources as sources
from zz_view import diagnosis_views as views
from zz_view import diagnosis_words as words

controls.current()
st.title("Does it happen in mine?", anchor=False)
answer = st.empty()
source, size, layer_place, target_place = st.columns(4, vertical_alignment="bottom")
with size:
    batch = views.batch_size()
brought, picture = st.container(), st.container()
with source:
    held = sources.current(brought)
with picture:
    shown = views.shown(held, batch, layer_place, target_place) if held else None
    found = shown.found if shown else None
    if found:
        answer.markdown(words.answer(found, shown.layer if len(shown.layers) > 1 else None))
        views.pictures(found)
        page.numbers(words.numbers(found))
        views.verdict(found)
if held:
    views.left_out(held)
    if found:
        views.layers(shown.layers, shown.layer)
    views.gradients(held)
    if found:
        views.reasons(found)
    if found or held.recording.gradients:
        views.share(held, shown)
views.recorders()
page.explanations(__file__)
