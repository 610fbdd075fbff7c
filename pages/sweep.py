"""Sweep: a measure against one or two fields, over many seeds, with intervals."""
import streamlit as st

from zz_view import controls, page, sweep_runs
from zz_view import sweep_views as views

experiment = controls.current()
st.title("How sure is that, over many seeds and settings?", anchor=False)
picture = page.coming("coming_picture")
grid, measure = views.grid_of(experiment, picture)
with picture:
    answer = st.empty()
    sweep_runs.refuse_cost(grid)
    results = sweep_runs.results(grid)
    if len(results) < len(grid):
        st.info(f"Stopped after {len(results)} of {len(grid)} points, which are kept.", icon=":material/pause_circle:")
        st.button("Go on", icon=":material/play_arrow:", on_click=sweep_runs.resume)
    if results:
        answer.markdown(views.answer(grid, results, measure))
        views.draw(grid, results, measure)
        views.numbers(grid, results)
views.remember(grid, measure)
views.draw_history(grid, measure)
if results:
    st.header("All numbers", anchor=False)
    views.draw_table(grid, results)
page.explanations(__file__)
views.draw_share(experiment, grid, results)
