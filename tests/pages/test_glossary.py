"""The glossary: every term once, in order; every symbol and every option of the dashboard in it; it can be searched."""
import re
import unicodedata
from pathlib import Path

import pytest

from tests.charts import open_page
from zz_core.activations import ACTIVATIONS
from zz_core.inputs import INPUTS
from zz_core.losses import LOSSES
from zz_core.optimizers import OPTIMIZERS
from zz_core.schedules import SCHEDULES
from zz_core.treatments import TREATMENTS
from zz_view.glossary import matching, terms
from zz_view.page import sections

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "pages" / "glossary.py"
PARTS = sections(str(PAGE))
TERMS, SYMBOLS = terms(PARTS["Terms"]), terms(PARTS["Symbols"])
# of formulas: how LaTeX writes what the glossary gives as a letter
LETTERS = {"kappa": "κ", "lambda": "λ", "eta": "η", "sigma": "σ", "delta": "δ", "rho": "ρ", "varphi": "φ", "psi": "ψ",
           "mu": "μ", "beta": "β", "pi": "π", "Sigma": "Σ", "partial": "∂", "sqrt": "√"}
NOT_SYMBOLS = "Δ"  # a difference, said so where it stands
WORDS = {"sgd": "Gradient descent", "center": "Zero-centered", "none": "Raw", "sigmoid_squared": "Squared loss",
         "constant": "Learning rate", "centered_sigmoid": "Sigmoid", "input_bias": "Bias per input",
         "replacement": "Epoch", "logistic": "Logistic loss", "squared": "Squared loss",
         "rms_norm": "RMS normalization", "standardize": "Standardize", "factorial": "Factorial design",
         "batch_norm": "Batch normalization", "layer_norm": "Layer normalization", "momentum": "Momentum",
         "cosine": "Cosine schedule", "inverse_sqrt": "Inverse square root schedule"}


def plain(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.casefold())


def test_every_term_is_said_once_in_order():
    names = [term.name for term in TERMS]
    assert len(names) == len(set(names)) >= 90
    keys = [[re.sub(r"[^\w]", "", word.casefold()) for word in name.split()] for name in names]
    assert keys == sorted(keys)


@pytest.mark.parametrize("term", [*TERMS, *SYMBOLS], ids=lambda term: term.name)
def test_what_is_said_is_short_and_ends(term):
    assert 3 < len(term.text) < 270 and term.text.endswith(".") and "!" not in term.text
    assert "**" not in term.text and "\n" not in term.text


@pytest.mark.parametrize("wanted", [
    "zero-centered", "sign constraint", "conditioning", "condition number", "stability limit", "path ratio",
    "censored", "excess loss", "coherence", "energy along the mean", "head-room", "orthant", "epoch", "residual",
    "teacher", "twin"])
def test_the_words_of_this_topic_are_explained(wanted):
    assert wanted in matching(TERMS, wanted)[0].name.casefold()


@pytest.mark.parametrize("option", [*ACTIVATIONS, *TREATMENTS, *OPTIMIZERS, *LOSSES, *INPUTS, *SCHEDULES])
def test_every_option_of_the_sidebar_is_explained(option):
    wanted = plain(WORDS.get(option, option))
    assert any(wanted in plain(term.name) for term in TERMS), option


def test_every_greek_letter_of_the_pages_is_a_symbol():
    texts = [path.read_text(encoding="utf-8") for folder in ("pages", "zz_view") for path in (ROOT / folder).glob("*.*")
             if path.suffix in (".md", ".py") and path.stem != "glossary"]
    text = "\n".join(texts)
    used = {letter for letter in text if "GREEK" in unicodedata.name(letter, "")}
    formulas = "\n".join(re.findall(r"\$\$?.+?\$\$?", text, flags=re.DOTALL))
    used |= {LETTERS[name] for name in re.findall(r"\\([A-Za-z]+)", formulas) if name in LETTERS}
    explained = "".join(symbol.name for symbol in SYMBOLS) + NOT_SYMBOLS
    assert {"κ", "ρ", "η", "φ"} <= used  # so that this looks at something
    assert used <= set(explained), used - set(explained)


def test_references_link_to_their_source_by_name():
    paragraphs = PARTS["References"].split("\n\n")[1:]
    assert len(paragraphs) >= 12
    for paragraph in paragraphs:
        title, address = re.findall(r"\[([^\]]+)\]\((https://\S+?)\)", paragraph)[0]
        assert len(title) > 8 and re.search(r"\b(19|20)\d\d\b|Stanford", paragraph)
    for wanted in ("CS231n", "LeCun", "Kanter", "Ioffe", "Ba,", "Clevert", "Glorot", "Feuer", "Akaike"):
        assert any(wanted in paragraph for paragraph in paragraphs), wanted


def test_words_are_found_without_case_hyphens_and_order():
    assert matching(TERMS, "headroom")[0].name == "Head-room"
    assert matching(TERMS, "RATIO path")[0].name == "Path ratio"
    assert matching(TERMS, "  ") == TERMS and matching(TERMS, "xyzzy") == []
    hits = [term.name for term in matching(TERMS, "momentum")]
    assert hits[:2] == ["Momentum", "Nesterov momentum"] and len(hits) == len(set(hits))
    assert matching(SYMBOLS, "κ")[0].name == "κ"


def shown(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def test_the_page_shows_everything_until_something_is_looked_for():
    app = open_page(PAGE)
    assert all(f"**{term.name}.**" in shown(app) for term in [*TERMS, *SYMBOLS]) and "Efficient BackProp" in shown(app)
    app = open_page(PAGE, find="wedge")
    assert "**Wedge.**" in shown(app) and "**Softplus.**" not in shown(app) and "Efficient BackProp" not in shown(app)
    app = open_page(PAGE, find="<script>")
    assert "No term says that" in app.caption[0].value
