"""Predict, then reveal: a question, the visitor's guess, what the run on the screen says, and why."""
from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st


class Question(NamedTuple):
    """`shown` is the option that this run bears out, or None where it bears out none of them."""

    ask: str
    options: Sequence[str]
    shown: str | None
    measured: str  # the answer in one sentence, with the run's numbers
    why: str


def guessed(key: str) -> bool:
    return st.session_state.get(f"guess_{key}") is not None


@st.fragment  # a guess changes nothing else on the page
def predict(key: str, question: Question) -> None:
    """`ask`, where nothing else on the page waits for the guess."""
    ask(key, question)


def ask(key: str, question: Question) -> None:
    """Draw the question; the answer appears when the visitor has guessed, and follows the run from then on."""
    with st.container(border=True):
        guess = st.pills(f":material/help: **Predict.** {question.ask}", question.options, key=f"guess_{key}",
                         persist_state="session")
        if guess is not None:
            st.markdown(answer(question, guess))


def answer(question: Question, guess: str) -> str:
    """The reveal in Markdown: guess beside measurement, then the reason."""
    if question.shown is None:
        beside = f"You expect *{guess}*. This run bears out none of the three."
    elif guess == question.shown:
        beside = f"You expect *{guess}*, and so it is."
    else:
        beside = f"You expect *{guess}*. It is *{question.shown}*."
    return f"{beside} **Measured: {question.measured}** {question.why}"
