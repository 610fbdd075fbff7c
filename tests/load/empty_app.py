"""What the dashboard is measured beside: a Streamlit app with one slider and one line of text."""
import gc

import streamlit as st


@st.cache_resource(show_spinner=False)
def freeze_imports() -> None:
    """As the dashboard does: without it Streamlit's own garbage collection would be all that is measured."""
    gc.collect()
    gc.freeze()


st.write(st.slider("x", 0, 100, key="x", bind="query-params"))
freeze_imports()
if __name__ != "__main__":
    app = st.App(__file__)
