"""Glossary: each term and symbol in words, and what the sources say."""
import streamlit as st

from zz_view import controls, glossary, page

controls.current()
parts = page.sections(__file__)
terms, symbols = glossary.terms(parts["Terms"]), glossary.terms(parts["Symbols"])
page.header("What does that word mean?",
            f"**{len(terms)} terms** as this dashboard uses them, its symbols, and what its sources really say. The "
            "sidebar does not matter here.")
wanted = st.text_input("Find a term or a symbol", key="find", bind="query-params", label_visibility="collapsed",
                       placeholder="Find a term or a symbol: head-room, κ, wedge …", icon=":material/search:")
found = glossary.matching([*terms, *symbols] if wanted else terms, wanted)
if not found:
    st.caption("No term says that. Clear the field to see them all.")
glossary.draw(found)
if not wanted:
    st.header("Symbols", anchor="symbols")
    glossary.draw(symbols)
    st.header("References", anchor="references")
    st.markdown(parts["References"])
