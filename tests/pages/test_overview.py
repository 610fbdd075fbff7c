"""The Overview page on its own, without a browser."""
from functools import partial
from pathlib import Path

import pytest

from tests.charts import figures, open_page
from zz_core import Experiment, simulate
from zz_core.summary import summarize
from zz_view.page import count, two_digits

PAGE = Path(__file__).parents[2] / "pages" / "overview.py"


opened = partial(open_page, PAGE)


def test_the_page_tells_the_four_runs_apart():
    app = opened()
    assert app.title[0].value == "What is the zig-zag, and what is really slow?"
    assert len(figures(app)) == 6
    expected = summarize(simulate(Experiment()))
    assert app.metric[0].value == two_digits(expected.path_ratio[0], "x")
    assert f"**{count(expected.steps[0])} steps**" in app.markdown[0].value
    assert app.metric[1].value == "100\xa0%" and "chance 50\xa0%" in app.metric[1].delta
    full = summarize(simulate(Experiment(batch_size=256)))
    assert app.metric[2].value == count(full.steps[0])


def test_the_url_decides_the_experiment():
    app = opened(activation="tanh", batch_size="4")
    assert "4 samples a step" in app.metric[0].label
    assert "not all positive" in "".join(block.value for block in app.markdown)


def test_one_weight_gets_a_sentence_in_place_of_the_picture():
    app = opened(dimensions="1", target_angle="0.0")
    assert not figures(app) and "dimensions to 2" in app.info[0].value


def test_an_impossible_combination_gets_a_sentence():
    app = opened(samples="16", batch_size="64")
    assert not figures(app) and "64" in app.warning[0].value


@pytest.mark.parametrize("query", [{"learning_rate": "8", "noise": "1"}, {"distance": "0"}, {"batch_size": "256"},
                                   {"inputs": "digits", "target": "labels", "loss": "sigmoid_squared"}])
def test_extremes_are_drawn(query):
    assert len(figures(opened(**query))) == 6


@pytest.mark.parametrize("query, sentence", [({"learning_rate": "8", "noise": "1"}, "raw inputs diverges at step"),
                                             ({"treatment": "batch_norm"}, "8 or more"),
                                             ({"inputs": "one_hot"}, "are never negative")])
def test_what_no_number_can_say_is_said_in_words(query, sentence):
    app = opened(**query)
    assert sentence in " ".join(block.value for block in [*app.markdown, *app.info])
