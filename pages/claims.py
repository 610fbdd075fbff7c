"""Claims: the sentences of the folklore, each with its measured verdict."""
from collections import Counter

import streamlit as st

from zz_core.claims import CLAIMS, TOPICS
from zz_view import controls, page
from zz_view.verdicts import WORDS, row, table, verdicts

controls.current()
st.title("Which sentences of the folklore hold?", anchor=False)
answer = st.empty()
with answer.container():
    found = verdicts()
counts = Counter(verdict.verdict for verdict in found.values())
answer.markdown(f"Of {len(CLAIMS)} sentences, **{counts['holds']}** hold, **{counts['conditional']}** hold under a "
                f"condition, and **{counts['fails']}** do not. Each is decided on this server by running its "
                "experiments; the sidebar does not matter here.")
with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    options = {"all": len(CLAIMS), **{name: counts[name] for name in WORDS}}
    shown = st.segmented_control("Verdicts shown", list(options), default="all", required=True, key="verdict",
                                 bind="query-params", help="holds; conditional: holds under a condition; fails: does "
                                                           "not hold in the experiments below.")
    st.download_button("All verdicts as CSV", lambda: table(found).to_csv(index=False).encode(),
                       "zig-zag-claims.csv", "text/csv", icon=":material/table:", on_click="ignore", key="claims_csv")
for topic, claims in TOPICS.items():
    kept = [claim for claim in claims if shown in ("all", found[claim.key].verdict)]
    if kept:
        st.header(topic, anchor=False)
        for claim in kept:
            st.markdown(row(claim, found[claim.key]))
page.explanations(__file__)
