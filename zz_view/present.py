"""Two ways to show a page without its controls: within another page (embed=true), and large, on a projector.

Streamlit itself drops its menus from an embedded page, but keeps the sidebar and the navigation. All controls are still
drawn, only not shown: their values, and with them the address, stay as they are.
"""
from urllib.parse import urlencode

import streamlit as st

KEY = "present"
TYPE = 1.3  # how much larger a presentation is

NO_SIDEBAR = '[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"] { display: none }'
EMBEDDED = NO_SIDEBAR + """
[data-testid="stHeader"] { display: none }
[data-testid="stMainBlockContainer"] { padding: 0.5rem 1rem 1rem }
html [data-testid="stMainBlockContainer"] h1 { font-size: 1.5rem; padding: 0 }
/* one view: the question, the answer, the picture and its numbers; what follows stays on the page itself */
.stMain [data-testid="stVerticalBlock"] > :has([data-testid="stMetric"]) ~ * { display: none }
"""
PRESENTED = NO_SIDEBAR + f"""
html {{ font-size: {16 * TYPE}px !important }}
.stMain :is([data-testid="stSlider"], [data-testid="stSelectbox"], [data-testid="stMultiSelect"],
  [data-testid="stNumberInput"], [data-testid="stCheckbox"], [data-testid="stPopover"],
  [data-testid="stDownloadButton"], [data-testid="stFileUploader"]) {{ display: none }}
/* the choices of a page, but not those of a question, which the audience is to answer */
.stMain [data-testid="stElementContainer"]:not([class*="st-key-guess"]) [data-testid="stButtonGroup"] {{
  display: none }}
[data-testid="stMainBlockContainer"] {{ padding-top: 3.5rem }}
/* beside the menus, where it hides nothing */
.st-key-leave_presentation {{ position: fixed; inset: 0.5rem 4rem auto auto; z-index: 1000000; width: auto }}
@media (max-width: 640px) {{ [data-testid="stHeaderLogo"] {{ display: none }} }}
"""


def frame() -> None:
    """Before anything else of a page is drawn, so that nothing appears only to vanish again."""
    if st.context.is_embedded:
        st.set_page_config(initial_sidebar_state="collapsed")
        st.html(f"<style>{EMBEDDED}</style>")
        st.markdown(f":small[Zig-Zag Lab: [open this experiment with its controls]({_whole_page()})]")
    elif _presenting():  # the sidebar is not collapsed, or it would stay so afterward
        st.html(f"<style>{PRESENTED}</style>")
        st.button("Leave presentation", icon=":material/close_fullscreen:", key="leave_presentation",
                  on_click=st.session_state.update, args=({KEY: False},))


def switch() -> None:
    """The switch at the sidebar's end; a link holds its state."""
    with st.sidebar:
        st.toggle("Presentation", key=KEY, bind="query-params", persist_state="session",
                  help="Large type and no controls, for a projector. The menu stays, and a button leads back.")


def _presenting() -> bool:
    """On a first visit only the address knows."""
    return st.session_state[KEY] if KEY in st.session_state else st.query_params.get(KEY) == "true"


def _whole_page() -> str:
    """The address of the same page and experiment, not embedded."""
    query = urlencode([(name, value) for name in st.query_params for value in st.query_params.get_all(name)])
    return (st.context.url or "/").split("?")[0] + (f"?{query}" if query else "")
