"""Verdicts for the pages: decided once a server, with progress, and put into words."""
import math
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from zz_core.claims import CLAIMS, Claim, Verdict, decide
from zz_view.hosting import heavy

WORDS = {"holds": ("holds", "green", "check_circle"), "conditional": ("holds under a condition", "orange", "rule"),
         "fails": ("does not hold", "red", "cancel")}
SECONDS = 1.0  # about what a claim takes


@st.cache_resource(show_spinner=False)
def _decided() -> dict[str, Verdict]:
    return {}


def verdicts() -> dict[str, Verdict]:
    """The verdict of every claim, by key; those that this server has not decided yet are decided under a bar."""
    decided = _decided()
    if missing := sum(claim.key not in decided for claim in CLAIMS):
        with heavy.slot("Deciding the claims", SECONDS * missing):
            bar = st.progress(0.0)
            for done, claim in enumerate(CLAIMS):
                if claim.key not in decided:  # another visitor may have been faster; deciding it twice does no harm
                    bar.progress(done / len(CLAIMS), f"Running the experiments: {claim.sentence}")
                    decided[claim.key] = decide(claim)
            bar.empty()
    return {claim.key: decided[claim.key] for claim in CLAIMS}


def row(claim: Claim, verdict: Verdict) -> str:
    """One claim in Markdown: verdict, sentence, the number that decided it, the condition, a link to see it."""
    word, color, icon = WORDS[verdict.verdict]
    seeds = "1 exact run" if verdict.seeds == 1 else f"{verdict.seeds} seeds"
    return (f":{color}-badge[:material/{icon}: {word}] **{claim.sentence}**  \n"
            f"{verdict.condition} [See the experiment]({address(claim)})  \n"
            f":small[:gray[Measured: **{_short(verdict.value)}**{_interval(verdict)} {claim.unit}, {seeds}. "
            f"Said by: {claim.source}.]]")


def address(claim: Claim) -> str:
    """The page that shows the claim's experiment, relative to the dashboard's pages."""
    query = urlencode(claim.experiments[claim.shown].to_query())
    return (claim.page or "./") + (f"?{query}" if query else "")


def _interval(verdict: Verdict) -> str:
    low, high = map(_short, verdict.interval)
    return "" if low == high == _short(verdict.value) else f" [{low}, {high}]"


def _short(value: float) -> str:
    if math.isinf(value):
        return "not reached"
    return f"{value:.3g}".replace("-", "−") if abs(value) < 1000 else f"{value:,.0f}"


def table(found: dict[str, Verdict]) -> pd.DataFrame:
    """All verdicts, one row a claim, to take away."""
    return pd.DataFrame([{
        "claim": claim.key, "sentence": claim.sentence, "verdict": found[claim.key].verdict,
        "value": found[claim.key].value, "low": found[claim.key].interval[0], "high": found[claim.key].interval[1],
        "unit": claim.unit, "seeds": found[claim.key].seeds, "condition": found[claim.key].condition,
        "source": claim.source, "experiment": address(claim)} for claim in CLAIMS])
