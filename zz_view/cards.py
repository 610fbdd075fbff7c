"""Cards that lead from the overview to the other pages."""
import streamlit as st

from zz_view import controls

CARDS = (
    ("pages/trajectories.py", "Trajectories", ":material/timeline:",
     "Walk along a path step by step, with what each sample allows."),
    ("pages/gradient_signs.py", "Gradient signs", ":material/grid_on:",
     "See every weight's sign at every step, and the chain rule behind one of them."),
    ("pages/batch_averaging.py", "Batch averaging", ":material/groups:",
     "Add up the gradients of a batch: what it mends, and what it leaves."),
)


def cards() -> None:
    """One card a page; nothing where the overview runs without the dashboard, which has no other pages."""
    if not controls.in_dashboard():
        return
    st.subheader("Go on", anchor=False)
    for column, (path, label, icon, text) in zip(st.columns(len(CARDS)), CARDS, strict=True):
        with column.container(border=True, height="stretch"):
            st.page_link(path, label=f"**{label}**", icon=icon)
            st.markdown(text)
