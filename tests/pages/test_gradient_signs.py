"""The Gradient signs page, run alone."""
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.charts import figures

PAGE = Path(__file__).parents[2] / "pages" / "gradient_signs.py"


def page_with(**query: str) -> AppTest:
    at = AppTest.from_file(PAGE, default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def metrics(at: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in at.metric}


def words(at: AppTest) -> str:
    return "\n".join(markdown.value for markdown in at.main.markdown)


def test_it_runs_alone_and_answers():
    at = page_with()
    assert not at.exception
    assert at.title[0].value == "Why do all the weights move together?"
    assert metrics(at)["One sign, raw"] == "100\xa0%" and metrics(at)["One sign by chance"] == "50\xa0%"
    assert len(figures(at)) == 3
    assert "one scalar for all weights" in words(at) and "changes sign" in words(at)
    assert "half of all gradients share a sign by chance" in words(at)


def test_the_twins_share_their_step_axis():
    raw, twin, _ = figures(page_with(first_step="101", columns="100"))
    assert raw["layout"]["xaxis"]["range"] == twin["layout"]["xaxis"]["range"] == [100.5, 200.5]


def test_the_url_sets_the_page_and_the_experiment():
    at = page_with(vectors="update", optimizer="adam", inspect_step="17", inspect_twin="true", batch_size="4")
    assert not at.exception
    assert at.segmented_control(key="vectors").value == "update"
    assert "sign of update" in figures(at)[0]["layout"]["title"]["subtitle"]["text"]
    assert "Step 17 uses" in words(at) and "mean of 4" in words(at) and "with Adam" in words(at)


@pytest.mark.parametrize("query", [
    {"steps": "1"},
    {"distance": "0"},
    {"batch_size": "256", "vectors": "batch"},
    {"treatment": "batch_norm"},
    {"treatment": "batch_norm", "batch_size": "16", "inspect_twin": "true"},
    {"treatment": "input_bias", "inspect_twin": "true"},
    {"inputs": "digits", "target": "labels", "dimensions": "16", "loss": "logistic"},
    {"dimensions": "1024", "columns": "400", "steps": "400", "samples": "32"},
    {"optimizer": "steepest_descent", "vectors": "update"},
    {"vectors": "nonsense", "columns": "7", "first_step": "-3"},
], ids=lambda query: "-".join(query.values()))
def test_nothing_breaks_it(query):
    at = page_with(**query)
    assert not at.exception and len(figures(at)) == 3


def test_layer_norm_is_never_of_one_sign():
    at = page_with(treatment="layer_norm", dimensions="8", batch_size="4", vectors="batch")
    assert metrics(at)["One sign, layer norm"] == "0\xa0%" and "add up to zero" in words(at)


def test_a_run_that_moves_nothing_is_said_in_a_whole_sentence():
    found = words(page_with(treatment="batch_norm"))
    assert "none of the batch norm steps, which move nothing, against 50" in found


def test_what_the_signs_of_the_inputs_are_is_said():
    for mean, said in (("10", "All raw inputs are positive"), ("-10", "All raw inputs are negative"),
                       ("-3", "both signs (a few are positive)"), ("3.2", "both signs (almost all are positive)"),
                       ("0", "both signs (48")):
        assert said in words(page_with(activation="identity", input_mean=mean))


def test_zeros_of_relu_are_said_not_to_count():
    at = page_with(activation="relu", dimensions="4")
    assert metrics(at)["One sign, raw"] == "100\xa0%" and "counts for neither sign" in words(at)


def test_one_weight_has_nothing_to_agree_with():
    at = page_with(dimensions="1", target_angle="0")
    assert not at.exception and "nothing to agree with" in words(at)


def test_a_diverged_run_says_so_and_has_nothing_to_inspect():
    at = page_with(learning_rate="10", rate_unit="absolute", inspect_step="150")
    assert not at.exception
    assert any("Diverged" in warning.value for warning in at.main.warning)
    assert any("diverged before the end of step 150" in info.value for info in at.main.info)
