"""The handout and its picture, and how to cite."""
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from zz_core import Experiment, __version__, simulate
from zz_core.stability import condition, eigenvalues
from zz_core.summary import summarize_twins
from zz_view import page, questions
from zz_view.exports import citation
from zz_view.exports.handout import handout
from zz_view.exports.svg import contour, plane_svg, ticks
from zz_view.pictures import plane_pictures
from zz_view.theme import CENTERED, RAW

ROOT = Path(__file__).parents[1]
LINK = "https://example.org/trajectories?batch_size=4&seed=3"


def made(link: str = LINK, **fields) -> tuple[str, dict]:
    experiment = Experiment(**fields)
    runs = {"raw": simulate(experiment), "zero-centered": simulate(Experiment(**{**fields, "treatment": "center"}))}
    pictures = {} if experiment.dimensions == 1 else plane_pictures(runs, {"raw": RAW, "zero-centered": CENTERED})
    return handout(runs, pictures, experiment, link), runs


class Text(HTMLParser):
    """Collects the text and checks that tags are closed."""

    def __init__(self, html: str):
        super().__init__()
        self.text, self.open = "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_handout_holds_the_run_s_numbers_link_citation_and_version():
    html, runs = made()
    text = Text(html)
    assert text.open == []
    for run, summary in zip(runs.values(), summarize_twins(*runs.values()), strict=True):
        kappa = condition(eigenvalues(run.experiment, run.task))
        for number in (page.two_digits(summary.path_ratio[0], "x"), page.percent(summary.same_sign[0]),
                       page.count(summary.steps[0]), page.two_digits(kappa), f"{run.learning_rate:.3g}"):
            assert f"<td>{number}</td>" in html
    assert LINK in text.text and __version__ in text.text and citation.cited() in text.text
    assert html.count("<svg") == 2 and "<script" not in html and "src=" not in html  # nothing has to be fetched


def test_the_handout_asks_the_three_misunderstandings_and_answers_them_on_the_screen_only():
    html, runs = made()
    paper = html.split("<details>")[0]
    printed, answers = Text(html).text.split("Answers (on the screen only, never printed)")
    for ask in (questions.both_down, questions.slope_of_a_loss, questions.same_sign_forever):
        question = ask(runs["raw"], "raw")
        assert question.measured in answers and question.measured not in printed
        assert all(f"<span>{option}</span>" in paper for option in question.options)
    assert "@media print" in html and "details, button { display: none }" in html
    assert paper.count('<span class="line">') == 3 + 2 * 2


@pytest.mark.parametrize("fields", [
    {"dimensions": 1, "target_angle": 0.0}, {"learning_rate": 5.0, "steps": 2000, "batch_size": 256},
    {"inputs": "digits", "dimensions": 20, "target": "labels", "loss": "logistic", "samples": 40},
    {"optimizer": "steepest_descent"}, {"treatment": "input_bias"}, {"steps": 1}, {"distance": 0.0},
    {"loss": "sigmoid_squared", "noise": 0.5},
], ids=str)
def test_every_experiment_has_a_handout(fields):
    html, _ = made(**fields)
    assert Text(html).open == [] and "nan" not in Text(html.split("<details>")[0]).text
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        ElementTree.fromstring(svg)
        assert "nan" not in svg and "inf" not in svg


def test_a_link_cannot_bring_markup_into_the_handout():
    html, _ = made(link='javascript:alert(1)"><script>alert(2)</script>')
    assert "<script" not in html and "href" not in html


def test_the_svg_shows_path_start_and_optimum_where_they_are():
    run = simulate(Experiment(steps=30))
    picture = plane_pictures({"raw": run}, {"raw": RAW})["raw"]
    svg = ElementTree.fromstring(plane_svg(picture, "Raw", "A path <to> the optimum", "p"))
    assert svg.get("aria-label") == "A path <to> the optimum" and svg.get("role") == "img"
    line = svg.find(".//polyline").get("points").split()
    points = np.array([point.split(",") for point in line], float)
    assert len(points) == 31
    # the SVG's units are an affine map of the weights, the same in both directions but for the sign
    (ax, bx), (ay, by) = (np.polyfit(run.weights[0, :, k], points[:, k], 1) for k in range(2))
    assert ax > 0 and ay == pytest.approx(-ax, rel=1e-3)
    moved = [group.get("transform") for group in svg.iter() if group.get("transform", "").startswith("translate")]
    start, optimum = (np.array(re.findall(r"-?[\d.]+", text), float) for text in moved)
    assert start == pytest.approx(points[0], abs=0.1)
    assert optimum == pytest.approx([ax * run.optimum[0] + bx, ay * run.optimum[1] + by], abs=0.2)
    words = [text.text for text in svg.iter("text")]
    assert {"start", "optimum", "Raw", "w₁", "w₂"} <= set(words)


def test_contours_lie_on_their_level():
    x, y = np.linspace(-2, 2, 41), np.linspace(-1, 3, 51)
    pieces = contour(x, y, np.hypot(x[None, :], y[:, None]), 1.2)
    radii = np.hypot(pieces[..., 0], pieces[..., 1])
    assert radii.min() > 1.195 and radii.max() < 1.205
    length = np.linalg.norm(pieces[:, 1] - pieces[:, 0], axis=-1).sum()
    arc = 2 * np.pi * 1.2 - 2 * 1.2 * np.arccos(1 / 1.2)  # without the cap below y = -1
    assert length == pytest.approx(arc, rel=0.01)


def test_contours_of_a_saddle_and_of_nothing():
    x = np.array([0.0, 1.0])
    assert contour(x, x, np.array([[1.0, 0.0], [0.0, 1.0]]), 0.5).shape == (2, 2, 2)
    assert contour(x, x, np.zeros((2, 2)), 0.5).shape == (0, 2, 2)


@pytest.mark.parametrize("low, high", [(0, 1), (-1.7, 0.3), (1e-9, 3e-9), (-1e6, 2e6), (0.999, 1.001), (-6e-7, 6e-7)])
@pytest.mark.parametrize("most", [3, 5])
def test_ticks_are_few_round_and_inside(low, high, most):
    found = ticks(low, high, most)
    assert 1 <= len(found) <= most
    assert found.min() >= low - 1e-9 * (high - low) and found.max() <= high + 1e-9 * (high - low)
    if len(found) > 1:
        step = np.diff(found)[0] / 10.0 ** np.floor(np.log10(np.diff(found)[0] * (1 + 1e-9)))
        assert min(abs(step - unit) for unit in (1, 2, 5)) < 1e-6


def cff() -> dict[str, str]:
    """The top-level fields of CITATION.cff, read by hand: name, value on the same line, quotes dropped."""
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    return {name: value.strip().strip('"') for name, value in
            (line.split(":", 1) for line in lines if re.match(r"[a-z-]+:", line))}


def test_citation_cff_holds_what_the_format_asks_for():
    found = cff()
    assert found["cff-version"] == "1.2.0" and found["message"] and found["type"] == "software"
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^authors:\n  - name: ", text, flags=re.M) and "\t" not in text
    allowed = {"abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers",
               "keywords", "license", "license-url", "message", "preferred-citation", "references", "repository",
               "repository-artifact", "repository-code", "title", "type", "url", "version"}
    assert set(found) <= allowed
    for reference in re.findall(r"^  - type: .*?(?=^  - type|\Z)", text, flags=re.M | re.DOTALL):
        assert {"title", "authors"} <= set(re.findall(r"^    ([a-z-]+):", reference, flags=re.M))
    assert all(re.fullmatch(r"10\.\d{4,9}/\S+", doi) for doi in re.findall(r"^ +doi: (.*)$", text, flags=re.M))


def test_the_program_cites_itself_as_citation_cff_does():
    found = cff()
    assert found["version"] == __version__ and found["title"] == citation.TITLE
    assert f'name: "{citation.AUTHORS}"' in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    license_text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert found["license"] in license_text and f"{citation.YEAR} {citation.AUTHORS}" in license_text


def test_bibtex_has_balanced_braces_and_the_link():
    entry = citation.bibtex(LINK)
    assert entry.count("{") == entry.count("}") and LINK in entry and __version__ in entry
    assert "url" not in citation.bibtex()
