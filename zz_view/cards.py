"""Cards that lead from the overview to the other pages."""
import streamlit as st

from zz_view import controls

ROW = 3
CARDS = (
    ("pages/gallery.py", "Gallery", ":material/grid_view:",
     "Choose among named experiments, each drawn from its own run."),
    ("pages/trajectories.py", "Trajectories", ":material/timeline:",
     "Walk along a path step by step, with what each sample allows."),
    ("pages/gradient_signs.py", "Gradient signs", ":material/grid_on:",
     "See every weight's sign at every step, and the chain rule behind one of them."),
    ("pages/batch_averaging.py", "Batch averaging", ":material/groups:",
     "Add up the gradients of a batch: what it mends, and what it leaves."),
    ("pages/geometry.py", "Geometry", ":material/explore:",
     "Shift the mean, turn the target, add dimensions: when it zig-zags, and when not."),
    ("pages/saturation.py", "Saturation", ":material/hourglass_empty:",
     "Put the zig-zag beside the harm that it is said to be milder than."),
    ("pages/claims.py", "Claims", ":material/fact_check:",
     "Read each sentence of the folklore with its measured verdict."),
    ("pages/remedies.py", "Remedies", ":material/healing:",
     "Race what is said to help to one goal, each at its own best learning rate."),
    ("pages/deep_network.py", "Deep network", ":material/lan:",
     "Train a real network on real data and see the signs of every layer."),
    ("pages/your_data.py", "Your data", ":material/upload_file:",
     "Diagnose your own inputs, or the layers of a network of yours."),
    ("pages/sweep.py", "Sweep", ":material/query_stats:",
     "Vary one or two settings over many seeds and see how sure a number is."),
    ("pages/glossary.py", "Glossary", ":material/menu_book:",
     "Look up a term or a symbol, and read what the sources really say."),
)


def cards() -> None:
    """One card a page; nothing where the overview runs without the dashboard, which has no other pages."""
    if not controls.in_dashboard():
        return
    st.header("Go on", anchor=False)
    for start in range(0, len(CARDS), ROW):
        columns = st.columns(ROW, border=True)  # containers in them would be twelve elements more
        for column, (path, label, icon, text) in zip(columns, CARDS[start : start + ROW], strict=False):
            column.page_link(path, label=f"**{label}**", icon=icon)
            column.markdown(text)
