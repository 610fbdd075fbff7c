"""The frame that all pages share: question, answer, picture, numbers, then the folded explanations."""
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

# Looks like Streamlit's own expanders, in both themes
FOLD_STYLE = (
    ".zz-fold{border:1px solid color-mix(in srgb, currentColor 20%, transparent);border-radius:.5rem;margin:0 0 .75rem;"
    "padding:0 .75rem}.zz-fold>summary{cursor:pointer;padding:.5rem 0;font-size:.9rem}"
    ".zz-fold>summary:focus-visible{outline:2px solid var(--st-primary-color,#5b45c2);outline-offset:2px}"
    ".zz-fold[open]{padding-bottom:.5rem}")
PERCENT_COLUMN = "%.0f %%"  # how a table shows what is in percent


class Number(NamedTuple):
    """One number of the row under a picture, with what to compare it with."""

    label: str
    value: str
    comparison: str = ""
    help: str | None = None


def header(question: str, answer: str) -> None:
    """The page's question as its title, and one sentence of answer made from the run."""
    st.title(question, anchor=False)
    st.markdown(answer)


def coming(key: str) -> DeltaGenerator:
    """A container above what is drawn before it: zz_view/rooms.py keeps room for what will be in it."""
    box = st.container(key=key)
    box.empty()  # without an element it would not be on the page
    return box


def numbers(row: Sequence[Number]) -> None:
    """Metrics beside each other; the comparison stands under the number, without an arrow."""
    with st.container(horizontal=True):  # columns would be an element more for each number
        for number in row:
            st.metric(number.label, number.value, number.comparison or None, delta_color="off", delta_arrow="off",
                      help=number.help)


def explanations(page_file: str) -> None:
    """The page's prose, NAME.md beside NAME.py: each section of level two becomes a folded part.

    All in one element: as expanders, each with its text, they would cost the browser a tenth of every rerun.
    """
    folded = [f"<details class='zz-fold'><summary>{title}</summary>\n\n{body}\n\n</details>"
              for title, body in sections(page_file).items()]
    st.markdown("\n\n".join([f"<style>{FOLD_STYLE}</style>", *folded]), unsafe_allow_html=True)


def sections(page_file: str) -> dict[str, str]:
    """The sections of level two of NAME.md beside NAME.py, by title."""
    text = Path(page_file).with_suffix(".md").read_text(encoding="utf-8")
    parts = [section.partition("\n") for section in text.split("\n## ")[1:]]
    return {title.strip(): body.strip() for title, _, body in parts}


def plain(text: str) -> str:
    """What a visitor or a file says, in Markdown: it stands for nothing but itself."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#$~|:" else letter for letter in text)


def two_digits(value: float, unit: str = "") -> str:
    """A number with two significant digits, whole from 10 on; words where it is undefined or never reached."""
    if np.isnan(value):
        return "undefined"
    if np.isinf(value):
        return "not reached"
    size = abs(value)
    return (f"{value:,.0f}" if size >= 9.95 else f"{value:.1f}" if size >= 0.995 else f"{value:.2g}") + unit


def size(value: float, unit: str = "") -> str:
    """A number with two significant digits, thousands too: condition numbers can be long."""
    if not np.isfinite(value) or value < 1000:
        return two_digits(value, unit)
    return f"{round(value, 1 - int(math.log10(value))):,.0f}{unit}"


def lengths(ratio: float) -> str:
    """A path ratio in a sentence."""
    return f"**{two_digits(ratio, 'x')}** the straight line" if np.isfinite(ratio) else "too short to measure"


def walk(ratio: float, diverged_at: int = -1) -> str:
    """What a path does, in a sentence: how long a run that leaves the picture has become says nothing."""
    return f"diverges at step **{diverged_at:,}**" if diverged_at >= 0 else f"is {lengths(ratio)}"


def in_title(walked: str) -> str:
    """The words of `walk` after a name and a colon."""
    return walked.removeprefix("is ").replace("*", "")


def count(value: float) -> str:
    """A number of steps: whole, in words where it was not reached."""
    return f"{value:,.0f}" if np.isfinite(value) else two_digits(value)


def in_steps(value: float) -> str:
    if np.isnan(value):
        return "no optimum to reach"
    return f"{count(value)} step{'' if value == 1 else 's'}" if np.isfinite(value) else "target not reached"


def percent(share: float) -> str:
    """In whole percent; the sign stays on the number's line."""
    return "undefined" if np.isnan(share) else f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
