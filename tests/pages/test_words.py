"""The pages' prose: short sentences outside the mathematics, American spelling, and each symbol said in words."""
import re
from pathlib import Path

import pytest

from zz_view.page import sections

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.md") if path.stem != "glossary")  # has its own tests
LONGEST = 36  # words of a sentence
SOON = 250  # characters after a symbol, within which it is said what it is
BRITISH = re.compile(r"\b(towards|for ever|oftener|whilst|learnt|colour|favour|behaviour|centred|centre|"
                     r"(?:optim|normal|initial|regular|general)is(?:e|ed|es|er|ing|ation))\b", re.IGNORECASE)
# how each symbol is said the first time that a page uses it outside its mathematics; any of the words will do
SAID = {"∂L/∂f": ("slope of the loss",), r"\partial L/\partial f": ("slope of the loss",),
        "κ": ("condition number",), "ρ": ("together",), r"\beta": ("share of the last step",), "σ(z)": ("sigmoid",),
        "z₀": ("bias z₀",), "E[xx": ("average product",)}


def prose(page: str) -> str:
    return "\n\n".join(text for title, text in sections(str(ROOT / "pages" / f"{page}.py")).items()
                       if "mathematics" not in title)


def sentences(text: str) -> list[str]:
    """Sentences, items of lists by themselves; tables and displayed formulas left out."""
    text = re.sub(r"\$\$.*?\$\$", " ", text, flags=re.DOTALL)
    blocks = re.split(r"\n\s*\n|\n(?=\s*- )", "\n".join(line for line in text.splitlines() if not line.startswith("|")))
    return [part for block in blocks for part in re.split(r"(?<=[.?])[*\")]*\s+(?=[A-Z*\"$])", " ".join(block.split()))]


@pytest.mark.parametrize("page", PAGES)
def test_sentences_are_short(page):
    found = sentences(prose(page))
    assert len(found) > 3
    assert not [part for part in found if len(part.split()) > LONGEST or "!" in part]


@pytest.mark.parametrize("page", PAGES)
def test_each_symbol_is_said_in_words(page):
    text = " ".join(prose(page).split())
    unsaid = [symbol for symbol, words in SAID.items() if symbol in text
              and not any(each in text[: text.index(symbol) + SOON] for each in words)]
    assert not unsaid


def test_a_long_sentence_and_a_formula_are_told_apart():
    assert sentences("One. *Two* is it? \"Three.\"\n- four\n- five $x$") == [
        "One.", "*Two* is it?", '"Three."', "- four", "- five $x$"]
    assert sentences("a $$b\nc$$ d") == ["a d"]


def test_spelling_is_american():
    files = [path for folder in ("pages", "zz_view", "zz_core/claims", "zz_core/remedies")
             for path in (ROOT / folder).rglob("*")]
    words = {path.name: found for path in files if path.suffix in (".md", ".py")
             and (found := BRITISH.findall(path.read_text(encoding="utf-8")))}
    assert not words
    assert BRITISH.findall("Optimisers normalise; Towards") == ["normalise", "Towards"]
