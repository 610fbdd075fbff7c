"""The glossary's text: parted, searched, and set in columns."""
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

STYLE = ".zz-terms{columns:22rem 3;column-gap:2.5rem}.zz-terms p{break-inside:avoid;margin:0 0 .75rem}"


class Term(NamedTuple):
    """A term as it stands in bold, without the full stop, and what is said about it in Markdown."""

    name: str
    text: str


def parts(page_file: str) -> dict[str, str]:
    """The sections of level two of NAME.md beside NAME.py."""
    text = Path(page_file).with_suffix(".md").read_text(encoding="utf-8")
    found = [section.partition("\n") for section in text.split("\n## ")[1:]]
    return {title.strip(): body.strip() for title, _, body in found}


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


def columns(found: Sequence[Term]) -> str:
    """Markdown of the terms, in as many columns as there is room for."""
    paragraphs = "\n\n".join(f"**{term.name}.** {term.text}" for term in found)
    return f"<style>{STYLE}</style><div class='zz-terms'>\n\n{paragraphs}\n\n</div>"
