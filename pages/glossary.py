"""Glossary: each term and symbol in words, and what the sources say."""
import streamlit as st

from zz_view import controls, glossary, page

controls.current()
parts = glossary.parts(__file__)
terms, symbols = glossary.terms(parts["Terms"]), glossary.terms(parts["Symbols"])
page.header("What does that word mean?",
            f"**{len(terms)} terms** as this dashboard uses them, its symbols, and what its sources really say. The "
            "sidebar does not matter here.")
wanted = st.text_input("Find a term or a symbol", key="find", bind="query-params", placeholder="head-room, κ, wedge …",
                       icon=":material/search:", help="Looks in the terms and in what is said about them.")
found = glossary.matching([*terms, *symbols] if wanted else terms, wanted)
if not found:
    st.caption("No term says that. Clear the field to see them all.")
st.markdown(glossary.columns(found), unsafe_allow_html=True)
if not wanted:
    st.header("Symbols", anchor="symbols")
    st.markdown(glossary.columns(symbols), unsafe_allow_html=True)
    st.header("References", anchor="references")
    st.markdown(parts["References"])
