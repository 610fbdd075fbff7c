"""The report to take away: whole HTML without a network, JSON as the command writes it."""
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from zz_core import diagnose
from zz_core.diagnose import main
from zz_core.diagnosis import THRESHOLDS, gradient_signs
from zz_core.diagnosis.verdict import short
from zz_view import diagnosis_report as report
from zz_view import diagnosis_words as words

RNG = np.random.default_rng(0)
SIGMOIDS = 1 / (1 + np.exp(-RNG.standard_normal((200, 5))))
FOUND = diagnose(SIGMOIDS, seeds=3, names=["a", "<b>", "c", "d", "e"], what="fc1")
SIGNS = gradient_signs(RNG.standard_normal((6, 2, 5)))
VOID = {"meta", "br", "path", "polyline"}  # the last two are closed in place


class Balanced(HTMLParser):
    """Every tag that is opened is closed; the text of the cells is kept."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tags, self.said, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.said += [value for name, value in attributes if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def page() -> Balanced:
    other = diagnose(RNG.standard_normal((50, 3)), seeds=0)
    return Balanced(report.html("my <run>.npz", {"fc1": FOUND, "<script>alert(1)</script>": other}, {"fc1": SIGNS}))


def test_the_html_is_whole_and_needs_no_network(page):
    assert page.said == [] and "script" not in page.tags and page.tags.count("svg") == 4
    assert "Diagnosis of my <run>.npz" in page.words and "<script>alert(1)</script>" in page.words


def test_the_html_holds_the_verdict_the_figures_and_every_feature(page):
    said = " ".join(page.words)
    assert FOUND.words.headline in said and all(sentence in said for sentence in FOUND.words.figures)
    assert THRESHOLDS in said and FOUND.words.advice in said
    assert short(FOUND.condition_raw) in page.words and "<b>" in page.words
    for run in FOUND.training.runs.values():
        assert f"{run.median:.4g}" in page.words or "not reached" in page.words
    assert f"{FOUND.mean[2]:.4g}" in page.words
    assert "The signs of the recorded gradients" in page.words


@pytest.mark.parametrize("values", [[[1.0], [2.0]], [[1, 1, 7], [2, 2, 7], [4, 4, 7]], RNG.standard_normal((6, 20))],
                         ids=["one feature", "constants and null directions", "more features than samples"])
def test_every_diagnosis_can_be_reported(values):
    found = diagnose(values, seeds=1, batch_size=2)
    text = report.html("x", {"x": found}, {})
    Balanced(text)
    assert not re.search(r"(nan|inf)\b", " ".join(re.findall(r"points='([^']*)'|[xy]='([^']*)'", text)[0]))
    json.loads(report.text("x", {"x": found}, {}, {}))


def test_gradients_alone_can_be_reported():
    assert "The signs of the recorded gradients" in Balanced(report.html("x", {}, {"fc1": SIGNS})).words
    assert json.loads(report.text("x", {}, {"fc1": SIGNS}, {}))["gradients"]["fc1"]["steps"] == 6


def test_the_json_is_what_the_command_writes(tmp_path, capsys):
    file = tmp_path / "run.npz"
    np.savez(file, **{"inputs/fc1": SIGMOIDS, "gradients/fc1": RNG.standard_normal((6, 2, 5)), "odd": np.ones(3)})
    assert main([str(file), "--json", "--seeds", "2"]) == 0
    expected = json.loads(capsys.readouterr().out)
    gradients = {"fc1": gradient_signs(np.load(file)["gradients/fc1"], SIGMOIDS.mean(axis=0))}
    own = json.loads(report.text(str(file), {"fc1": diagnose(SIGMOIDS, seeds=2)}, gradients, expected["left_out"]))
    assert own.pop("program") == "Zig-Zag Lab" and own.pop("version")
    assert own == expected and list(own["left_out"]) == ["odd"]


@pytest.mark.parametrize("name, stem", [("my run.npz", "my-run.npz"), ("../../etc/passwd", "etc-passwd"),
                                        ("<>|?*", "layer"), ("größe" * 40, ("größe" * 40)[:60])])
def test_a_file_is_named_after_what_it_is_about(name, stem):
    assert report.stem(name) == stem


def test_the_answer_follows_the_level_and_the_runs():
    assert words.answer(FOUND, None).startswith(("**Yes.** Zero-centered, these inputs", "**Yes, somewhat.**"))
    assert f"**{short(FOUND.head_room)} times** the learning rate" in words.answer(FOUND, "fc*1*")
    assert "the inputs of fc\\*1\\* would" in words.answer(FOUND, "fc*1*")
    fine = diagnose(RNG.standard_normal((400, 4)), seeds=2)
    assert words.answer(fine, None).startswith("**No, not here.**") and "no problem" in words.answer(fine, None)


def test_the_table_of_spectra_and_its_sentence_have_the_measured_numbers():
    rows = words.spectra_rows(FOUND)
    assert [row["κ"] for row in rows[:3]] == [short(FOUND.condition_raw), short(FOUND.condition_centered),
                                              short(FOUND.spectra.standardized.condition)]
    few = diagnose(RNG.standard_normal((4, 6)) + 3, seeds=0)
    assert words.spectra_rows(few)[1]["directions without spread"] == "3"
    assert f"1 + D m²/v = {short(FOUND.condition_independent)}" in words.condition_sentence(FOUND)
    assert f"show {short(FOUND.condition_white)} in place of 1" in words.condition_sentence(FOUND)
    assert "no smallest eigenvalue" in words.condition_sentence(few)
    one = diagnose(RNG.standard_normal((50, 1)) + 3, seeds=0)  # κ is 1 of any sample of one feature
    assert "finite sample" not in words.condition_sentence(one)
    assert words.features_title(one) == "The feature's mean is beyond its spread"
