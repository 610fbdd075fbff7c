"""The Share popover and the views without controls, without a browser."""
import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.test_shell import ROOT, a_page_with_a_run
from zz_core import Experiment, __version__, simulate
from zz_view import share
from zz_view.exports.citation import cited
from zz_view.exports.data_files import experiment_json


def opened(tab: str, script=a_page_with_a_run, **query: str) -> AppTest:
    make = AppTest.from_file if isinstance(script, Path) else AppTest.from_function
    at = make(script, default_timeout=60)
    at.session_state["share"], at.session_state["share_tab"] = True, tab
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def two_runs():
    from dataclasses import replace

    from zz_view import controls, runs, share

    experiment = controls.current()
    share.share({"raw": runs.get(experiment), "zero-centered": runs.get(replace(experiment, treatment="center"))},
                experiment)


def labels(at: AppTest) -> list[str]:
    return [button.proto.label for button in at.get("download_button")]


def test_a_closed_popover_draws_nothing():
    at = AppTest.from_function(a_page_with_a_run, default_timeout=60).run()
    assert not at.code and not at.tabs and not labels(at)


def test_only_the_open_tab_is_drawn():
    assert [tab.label for tab in opened("Link").tabs] == ["Link", "Data", "Code", "Teach", "Embed"]
    assert len(opened("Link").code) == 3 and not labels(opened("Link"))
    assert labels(opened("Data")) == ["Every step as CSV", "Every step as Parquet", "All arrays as NPZ",
                                      "The experiment as JSON"]
    assert labels(opened("Code")) == ["Download this script"] and labels(opened("Teach")) == ["Handout as HTML"]


def test_the_link_comes_with_its_citation():
    link, citation, entry = (block.value for block in opened("Link", batch_size="8").code)
    assert link.endswith("?batch_size=8")
    assert citation == cited(link) and __version__ in citation and link in entry


def test_the_code_shown_is_that_of_the_run_that_is_chosen():
    at = opened("Code", two_runs, steps="20", batch_size="4")
    assert at.button_group(key="share_run").value == "raw" and at.button_group(key="share_program").value == "NumPy"
    for run, treatment in (("raw", "none"), ("zero-centered", "center")):
        at.button_group(key="share_run").set_value(run).run()
        names: dict = {}
        exec(at.code[0].value, names)
        wanted = simulate(Experiment(steps=20, batch_size=4, treatment=treatment)).weights[0]
        assert np.abs(names["path"] - wanted).max() < 1e-10


@pytest.mark.parametrize("kind, words", [("PyTorch", "torch.optim.SGD"), ("Notebook", '"nbformat": 4')])
def test_the_other_programs_can_be_seen_as_well(kind, words):
    at = opened("Code")
    at.button_group(key="share_program").set_value(kind).run()
    assert words in at.code[0].value and not at.exception


def test_real_data_say_what_their_program_needs():
    assert any("scikit-learn" in text.value for text in opened("Code", inputs="wine").markdown)
    assert not any("scikit-learn" in text.value for text in opened("Code").markdown)


def test_the_frame_is_the_page_embedded():
    frame = opened("Embed", batch_size="8", seed="3").code[0].value
    assert "?batch_size=8&amp;seed=3&amp;embed=true" in frame and frame.startswith("<iframe src=")
    assert 'title="' in frame and "loading=" in frame
    assert "%22" in share.iframe('http://x/?a="onload=') and '"onload' not in share.iframe('http://x/?a="onload=')


def test_a_presentation_is_not_part_of_a_link_but_a_link_of_its_own():
    assert "present" not in opened("Link", present="true").code[0].value
    assert opened("Teach").code[0].value.endswith("?present=true")


def upload(at: AppTest, content: str) -> AppTest:
    return at.file_uploader[0].upload("experiment.json", content.encode(), "application/json").run()


def test_an_experiment_that_was_saved_can_be_opened():
    saved = Experiment(steps=30, learning_rate=0.123, optimizer="momentum", momentum=0.5)
    at = upload(opened("Data"), experiment_json(saved, {"run": simulate(saved)}))
    assert "ends at the same weights as then" in at.info[0].value.replace("\\", "")
    at.button(key="share_open").click().run()
    assert not at.exception and at.number_input(key="steps").value == 30
    assert at.number_input(key="learning_rate").value == 0.123  # typed: no slider can show it
    assert at.text[0].value == "30 (1, 31, 2)" and at.selectbox(key="optimizer").value == "momentum"


def test_a_file_of_another_version_that_ends_elsewhere_says_so():
    saved = Experiment(steps=30)
    written = json.loads(experiment_json(saved, {"run": simulate(saved)}))
    written["version"] = "0.0.1"
    written["runs"]["run"]["final_weights"][0] += 0.1
    words = upload(opened("Data"), json.dumps(written)).info[0].value.replace("\\", "")
    assert "written by version 0.0.1" in words and "ends elsewhere than then" in words


@pytest.mark.parametrize("content, words", [("nonsense", "no JSON"), ('{"experiment": {"steps": -1}}', "**Steps**")])
def test_a_file_that_holds_none_gets_a_sentence(content, words):
    at = upload(opened("Data"), content)
    assert words in at.warning[0].value and not at.exception


@pytest.mark.parametrize("tab", ["Link", "Data", "Code", "Teach", "Embed"])
@pytest.mark.parametrize("page", ["overview", "trajectories", "gradient_signs", "batch_averaging", "geometry"])
def test_pages_hand_out_their_runs(page, tab):
    at = opened(tab, ROOT / "pages" / f"{page}.py", steps="20", dimensions="3")
    assert not at.exception and (at.code or labels(at))
