"""Zig-Zag Lab: `streamlit run dashboard.py`.

The server imports this file once when it starts, and runs it as a script for every visitor, at every change.
"""
from zz_view import one_thread  # noqa: F401  # isort: skip  (sets what NumPy reads when it is imported)

import logging

import streamlit as st

from zz_view import controls, hosting, menus, present
from zz_view.hosting import heavy, light, meters

ZIG_ZAG = ('<path d="M2 20 9 6l4 9 3-7 6 8" fill="none" stroke="#7a68d8" stroke-width="2.5" stroke-linecap="round" '
           'stroke-linejoin="round"/>')
ICON = f'<svg viewBox="0 0 24 24">{ZIG_ZAG}</svg>'
LOGO = (f'<svg viewBox="0 0 142 24" height="24">{ZIG_ZAG}<text x="32" y="18" font-family="sans-serif" font-size="17" '
        'font-weight="600" fill="#7a68d8">Zig-Zag Lab</text></svg>')


def sections() -> dict[str, list[st.Page]]:
    """The menus at the top and their pages."""
    return {
        "See it": [
            st.Page("pages/overview.py", title="Overview", icon=":material/home:", default=True),
            st.Page("pages/gallery.py", title="Gallery", icon=":material/grid_view:", url_path="gallery"),
            st.Page("pages/trajectories.py", title="Trajectories", icon=":material/timeline:",
                    url_path="trajectories"),
            st.Page("pages/gradient_signs.py", title="Gradient signs", icon=":material/grid_on:",
                    url_path="gradient-signs"),
            st.Page("pages/batch_averaging.py", title="Batch averaging", icon=":material/groups:",
                    url_path="batch-averaging"),
        ],
        "Understand it": [
            st.Page("pages/geometry.py", title="Geometry", icon=":material/explore:", url_path="geometry"),
            st.Page("pages/saturation.py", title="Saturation", icon=":material/hourglass_empty:",
                    url_path="saturation"),
            st.Page("pages/claims.py", title="Claims", icon=":material/fact_check:", url_path="claims"),
        ],
        "Fix it": [
            st.Page("pages/remedies.py", title="Remedies", icon=":material/healing:", url_path="remedies"),
            st.Page("pages/deep_network.py", title="Deep network", icon=":material/lan:", url_path="deep-network"),
        ],
        "Use it": [
            st.Page("pages/your_data.py", title="Your data", icon=":material/upload_file:", url_path="your-data"),
            st.Page("pages/sweep.py", title="Sweep", icon=":material/query_stats:", url_path="sweep"),
            st.Page("pages/glossary.py", title="Glossary", icon=":material/menu_book:", url_path="glossary"),
        ],
    }


def visit(told: dict[str, str]) -> None:
    """One run for one visitor: the controls, then the page, whose name is put into `told`."""
    st.set_page_config(page_icon=ICON, layout="wide")  # first, or the browser fetches each page's icon from afar
    page = st.navigation(menus.fresh(sections), position="top", expanded=True)  # on a phone, all pages are listed
    told["page"] = page.url_path or "overview"
    st.set_page_config(page_title=f"{page.title} · Zig-Zag Lab")
    st.logo(LOGO, size="large")
    present.frame()
    controls.draw()
    present.switch()
    if controls.reset_asked():
        st.switch_page(page, query_params={})  # empties the URL, whatever else it held
    with heavy.page():
        page.run()
    controls.check_page_params()
    controls.finish_reset()
    hosting.freeze_imports()


if __name__ == "__main__":
    with light.turn(), meters.timed("zigzag_rerun_seconds", page="none") as labels:
        visit(labels)
else:
    # Until st.navigation is called for the first time, Streamlit takes a folder named pages for a menu of its own.
    # After a start, a visitor with a link to one page would miss the top menu, or be told that there is no such page.
    logging.disable(logging.WARNING)  # it warns that nobody is visiting
    st.navigation(sections())
    logging.disable(logging.NOTSET)
    app = st.App(__file__, **hosting.options())
