"""The glossary's text: parted, searched, and set in columns."""
import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import streamlit as st

PARAGRAPH = 50  # letters that the space around a paragraph stands for


class Term(NamedTuple):
    """A term as it stands in bold, without the full stop, and what is said about it in Markdown."""

    name: str
    text: str


def terms(text: str) -> list[Term]:
    """A paragraph each: `**Name.** What it means.`"""
    return [Term(*paragraph.removeprefix("**").split(".** ", 1)) for paragraph in text.split("\n\n")]


def matching(found: Sequence[Term], wanted: str) -> list[Term]:
    """The terms that hold all of the wanted words; those whose name does come first."""
    words = _plain(wanted).split()
    hits = [term for term in found if all(word in _plain(f"{term.name} {term.text}") for word in words)]
    return sorted(hits, key=lambda term: not all(word in _plain(term.name) for word in words)) if words else list(found)


def _plain(text: str) -> str:
    """Without case, accents, hyphens and emphasis, so that headroom finds head-room."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in bare if not unicodedata.combining(letter) and letter not in "-‑*`")


def draw(found: Sequence[Term]) -> None:
    """The terms in two columns of about the same length, the first one first.

    As plain Markdown: what holds HTML is drawn a moment later, and would push the rest of the page down.
    """
    lengths = list(accumulate(len(term.text) + PARAGRAPH for term in found))
    half = next((k for k, length in enumerate(lengths, 1) if 2 * length >= lengths[-1]), 0)
    for column, part in zip(st.columns(2, gap="large"), (found[:half], found[half:]), strict=True):
        column.markdown("\n\n".join(f"**{term.name}.** {term.text}" for term in part))
