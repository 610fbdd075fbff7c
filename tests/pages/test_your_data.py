"""The page Your data without a browser: sources, uploads good and bad, the report; nobody else sees what one brings."""
import io
import json
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.charts import boards, figures, open_page, values
from zz_core import datasets, diagnose
from zz_core.diagnosis import THRESHOLDS, gradient_signs
from zz_core.diagnosis.verdict import short
from zz_view import diagnosis_runs as runs
from zz_view import diagnosis_sources as sources
from zz_view.hosting import heavy
from zz_view.rooms import ROOMS

PAGE = Path(__file__).parents[2] / "pages" / "your_data.py"
FILE, PASTED = {"own_source": sources.UPLOAD}, {"own_source": sources.PASTE}
RNG = np.random.default_rng(0)
SIGMOIDS = 1 / (1 + np.exp(-RNG.standard_normal((300, 6))))
CENTERED = RNG.standard_normal((300, 4))
GRADIENTS = RNG.standard_normal((20, 3, 1)) * SIGMOIDS[:20, None, :]
opened = partial(open_page, PAGE)


@pytest.fixture(autouse=True)
def quick_runs(monkeypatch):
    monkeypatch.setattr(runs, "SEEDS", 3)


def npz(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{name.replace("__", "/"): value for name, value in arrays.items()})
    return stream.getvalue()


def table(matrix: np.ndarray, names: str) -> bytes:
    stream = io.StringIO()
    np.savetxt(stream, matrix, delimiter=",", header=names, comments="", fmt="%.17g")
    return stream.getvalue().encode()


def uploaded(data: bytes, name: str, **query: str) -> AppTest:
    app = opened(**FILE, **query)
    app.file_uploader(key="own_file").set_value((name, data, "application/octet-stream")).run()
    assert not app.exception
    return app


def answer(app: AppTest) -> str:
    return app.markdown[0].value


def trace(figure: dict, name: str) -> dict:
    return next(found for found in figure["data"] if found["name"] == name)


def by_key(app: AppTest) -> dict[str, dict]:
    """The pictures on the page by name."""
    return {chart["key"]: chart["figure"] for board in boards(app) for chart in board["charts"]}


def button(app: AppTest, label: str):
    return next(each for each in app.button if each.label == label)


def select(app: AppTest, label: str):
    return next(each for each in app.selectbox if each.label == label)


def words(app: AppTest) -> str:
    return "\n".join(part.value for kind in (app.markdown, app.caption, app.info, app.warning) for part in kind)


# --- what is there before anyone brings something ---

def test_the_example_is_a_network_that_suffers_and_its_gradients_are_shown():
    app = opened()
    assert answer(app).startswith("**Yes") and "of layer 2 would bear" in answer(app)
    assert list(by_key(app)) == ["signs", "steps", "layers", "own_signs", "own_rows", "features", "spectrum"]
    assert list(app.dataframe[0].value["layer"]) == ["layer 1", "layer 2", "layer 3"]
    assert all(len(chart["alt"]) > 40 for board in boards(app) for chart in board["charts"])
    for figure in figures(app):
        go.Figure(figure)
    room, html = ROOMS["own_pictures"], app.main.get("bidi_component")[0].proto.html_content
    assert html.count(f"block-size: {room.height:g}rem") == room.charts  # what is kept until it is drawn
    select(app, "Layer").set_value("layer 1").run()
    assert not app.exception and "the inputs of layer 1" in answer(app)


@pytest.mark.parametrize("name", datasets.REAL)
def test_the_shipped_data_are_diagnosed_with_their_first_class_for_the_target(name):
    app, (inputs, labels) = opened(own_source=name), datasets.load(name)
    found = diagnose(inputs, labels == 0, names=datasets.feature_names(name), seeds=3, what=name)
    kept = by_key(app)
    np.testing.assert_allclose(values(trace(kept["signs"], "raw")["y"]), found.signs_by_batch["raw"].share, rtol=1e-6)
    np.testing.assert_allclose(values(trace(kept["spectrum"], "raw")["y"]), found.eigenvalues_raw[
        found.eigenvalues_raw > 0][:400], rtol=1e-6)
    steps = found.training.runs["center"].steps
    drawn = trace(kept["steps"], "zero-centered, a seed")
    np.testing.assert_array_equal(np.where(np.isfinite(steps), values(drawn["x"]), np.inf), steps)
    assert [text == "not reached" for text in drawn["customdata"]] == np.isinf(steps).tolist()
    assert all(sentence.split(":")[0] in words(app).replace("\\", "").replace("\N{NO-BREAK SPACE}", " ")
               for sentence in found.words.figures)
    assert THRESHOLDS in words(app) and found.words.advice in words(app)
    assert app.metric[1].value == f"{short(found.head_room)}x"


# --- what a visitor brings ---

def test_a_recording_is_diagnosed_layer_by_layer_with_its_gradients():
    app = uploaded(npz(inputs__fc1=SIGMOIDS, inputs__fc2=CENTERED, gradients__fc1=GRADIENTS), "run.npz")
    found = diagnose(SIGMOIDS, seeds=3, what="fc1")
    assert "the inputs of fc1" in answer(app)  # the one that suffers most
    assert app.metric[0].value == f"{100 * found.one_sign['raw'].value:.0f} %"
    kept = by_key(app)
    np.testing.assert_allclose(values(trace(kept["layers"], "head-room")["y"]),
                               [found.head_room, diagnose(CENTERED, seeds=0).head_room], rtol=1e-6)
    signs = gradient_signs(GRADIENTS)
    np.testing.assert_allclose(values(trace(kept["own_rows"], "fc1")["y"]), signs.unanimous_rows, rtol=1e-6)
    np.testing.assert_array_equal(values(kept["own_signs"]["data"][0]["z"]), signs.signs[:, 0].T + 1)
    next(box for box in app.number_input if box.label == "Unit, of 3").set_value(3).run()
    np.testing.assert_array_equal(values(by_key(app)["own_signs"]["data"][0]["z"]), signs.signs[:, 2].T + 1)
    select(app, "Layer").set_value("fc2").run()
    assert answer(app).startswith("**No, not here.**") and "there is no problem here" in answer(app)


def test_the_batch_size_is_the_visitors():
    app = uploaded(npz(fc1=SIGMOIDS), "run.npz", own_batch="7")
    assert values(trace(by_key(app)["signs"], "raw")["x"]).tolist() == [1, 2, 4, 7, 8, 16, 32, 64, 128, 256]
    assert app.metric[2].label == "Steps at batch size 7"


def test_a_table_takes_its_target_from_its_name_and_another_when_asked():
    data = table(np.column_stack([SIGMOIDS[:, :3], SIGMOIDS[:, :3] @ [1, 2, 3]]), "a,b,c,Target")
    app = uploaded(data, "t.csv")
    assert select(app, "Target").value == "Target" and "these inputs" in answer(app)
    assert len(values(trace(by_key(app)["features"], "features")["x"])) == 3
    select(app, "Target").set_value(sources.NO_TARGET).run()
    assert not app.exception and len(values(trace(by_key(app)["features"], "features")["x"])) == 4


def test_gradients_alone_show_their_signs_and_what_is_missing():
    app = uploaded(npz(gradients__fc1=GRADIENTS), "run.npz")
    assert list(by_key(app)) == ["own_signs", "own_rows"] and "With inputs/LAYER" in words(app)
    app.session_state["own_report"] = True
    app.run()
    assert not app.exception and [part.label for part in app.get("download_button")] == ["As HTML", "As JSON"]


def test_pasted_numbers_are_diagnosed():
    app = opened(**PASTED)
    assert "until then this is the example" in words(app)
    app.text_area(key="own_text").set_value("a\tb\n1\t2\n3\t5\n4\t4\n").run()
    assert not app.exception and "these inputs" in answer(app)
    assert len(values(trace(by_key(app)["features"], "features")["x"])) == 2


def test_a_name_is_shown_as_it_is():
    """Neither Markdown nor HTML nor Plotly's markup."""
    name = "<img src=x>**fc** $x$ %{y}"
    arrays = {f"inputs__{name}": SIGMOIDS, f"gradients__{name}": GRADIENTS, "inputs__b": CENTERED}
    app = uploaded(npz(**arrays), "run.npz")
    assert "\\<img src=x\\>\\*\\*fc\\*\\* \\$x\\$" in answer(app)
    drawn = json.dumps(figures(app), ensure_ascii=False)
    assert "<img" not in drawn and "$ %{y}" not in drawn and "‹img" in drawn


# --- what is wrong ---

@pytest.mark.parametrize(("name", "data", "sentence"), [
    ("empty.csv", b"", "empty.csv: the file is empty, 0 bytes"),
    ("prose.csv", b"Hello, world.\nNo table.\n", "must be a table with as many cells"),
    ("twice.csv", b"a,a\n1,2\n3,4\n", "occur more than once"),
    ("row.csv", b"a,b\n1,2\n", "one row has no spread"),
    ("same.csv", b"a,b\n1,2\n1,2\n1,2\n", "are constant"),
    ("one.npz", npz(x=np.ones((3, 4))), "are constant"),
    ("cut.parquet", b"PAR1\x15\x04PAR1", "cannot be read as Parquet"),
    ("wide.npz", npz(x=np.zeros((2, 5000), np.int8)), "must have at most 4,096 columns; keep some of them"),
    ("constant_target.csv", b"a,y\n1,2\n3,2\n4,2\n", "all equal 2"),
])
def test_what_cannot_be_diagnosed_gets_a_sentence_and_the_rest_of_the_page_stays(name, data, sentence):
    app = uploaded(data, name)
    assert sentence in app.warning[0].value.replace("\\", "") and not figures(app)
    assert any("Record your own" in header.value for header in app.header)
    app.selectbox(key="own_source").set_value("wine").run()
    assert not app.exception and not app.warning and figures(app)


def test_columns_of_text_are_left_out_with_one_click_and_come_back_with_another():
    app = uploaded(b"a,city *x*,b\n1,Bern,2\n3,Rome,5\n4,Oslo,4\n", "t.csv")
    assert "'city \\*x\\*'" in app.warning[0].value and not figures(app)
    button(app, "Leave out this column").click().run()
    assert not app.warning and figures(app) and "Left out: 'city \\*x\\*'" in words(app)
    button(app, "Use again").click().run()
    assert app.warning and not figures(app)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_columns_with_gaps_are_left_out_with_one_click(bad):
    gaps = SIGMOIDS.copy()
    gaps[5, 2] = bad
    app = uploaded(npz(fc1=gaps), "run.npz")
    assert "('x3'" in app.warning[0].value and not figures(app)
    button(app, "Leave out this column").click().run()
    assert not app.warning and len(values(trace(by_key(app)["features"], "features")["x"])) == 5
    button(app, "Use again").click().run()
    assert app.warning


def test_another_encoding_is_offered():
    app = uploaded("größe;b\n1;2\n3;5\n4;4\n".encode("cp1252"), "t.csv")
    assert "UTF-8" in app.warning[0].value
    button(app, "Read it as Windows-1252").click().run()
    assert not app.warning and figures(app)


def test_layers_that_cannot_be_diagnosed_are_not_passed_over_in_silence():
    rng = np.random.default_rng(0)
    one, two = rng.random((90, 4)), rng.random((90, 3))
    app = uploaded(npz(inputs__one=one, inputs__two=two, inputs__dead=np.zeros((90, 2))), "run.npz")
    assert any("Not among them: dead." in caption.value for caption in app.caption)


def test_a_layer_that_cannot_be_diagnosed_leaves_the_others():
    app = uploaded(npz(inputs__bad=np.full((9, 3), np.nan), inputs__good=SIGMOIDS), "run.npz")
    assert "the inputs of good" in answer(app)
    select(app, "Layer").set_value("bad").run()
    assert "27 missing values" in app.warning[0].value and not app.exception


def test_bad_gradients_leave_the_rest():
    broken = GRADIENTS.copy()
    broken[3] = np.nan
    app = uploaded(npz(inputs__fc1=SIGMOIDS, gradients__fc1=broken, gradients__fc2=GRADIENTS), "run.npz")
    assert "step 4\\: holds a value that is missing" in app.warning[0].value
    assert "own_rows" in by_key(app) and "signs" in by_key(app)


# --- what stays whose ---

def test_what_a_visitor_brings_is_in_no_cache_of_the_server(monkeypatch):
    secret = npz(inputs__secret_layer=SIGMOIDS * 1.234, gradients__secret_layer=GRADIENTS)
    before = list(runs._shared()._kept)
    monkeypatch.setattr(st, "cache_data", lambda *_, **__: pytest.fail("a cache for all"))
    app = uploaded(secret, "secret.npz")
    assert "secret" in words(app) and list(runs._shared()._kept) == before
    assert "secret" not in words(uploaded(npz(fc=SIGMOIDS), "other.npz"))
    own = app.session_state[runs.OWN][1]
    assert {key[0] if isinstance(key, tuple) else key for _, key in own} == {"secret_layer", "signs"}


def test_only_findings_about_the_latest_numbers_are_kept():
    app = uploaded(npz(fc1=SIGMOIDS), "run.npz")
    first = app.session_state[runs.OWN][0]
    app.file_uploader(key="own_file").set_value(("b.npz", npz(fc1=CENTERED), "application/zip")).run()
    key, found = app.session_state[runs.OWN]
    assert key != first and len(found) == 1 and app.session_state["_own_held"].name == "b.npz"


def test_the_address_holds_no_numbers():
    app = uploaded(npz(fc1=SIGMOIDS), "run.npz", own_batch="8")
    assert set(app.query_params) <= {"own_source", "own_batch"}


def test_a_stopped_analysis_says_so_and_goes_on_when_asked():
    app = opened(**PASTED)
    app.text_area(key="own_text").set_value("a\tb\n1\t2\n3\t5\n4\t4\n").run()
    (whole,) = app.session_state[runs.OWN][1]
    app.session_state[runs.OWN] = app.session_state[runs.OWN][0], {}
    app.session_state[runs.STOPPED] = whole
    app.run()
    assert not app.exception and "The analysis was stopped." in words(app) and not figures(app)
    button(app, "Analyze it after all").click().run()
    assert not app.exception and figures(app) and "stopped" not in words(app)


def test_an_analysis_waits_its_turn_and_what_is_there_does_not(monkeypatch):
    turns = []
    monkeypatch.setattr(heavy, "slot", lambda what, seconds: turns.append((what, seconds)) or nullcontext())
    app = uploaded(npz(fc1=SIGMOIDS), "run.npz")
    assert [what for what, _ in turns if what == "This analysis"] and all(seconds > 1 for _, seconds in turns)
    turns.clear()
    app.run()
    assert not app.exception and figures(app) and not turns


# --- what there is to take away ---

def test_recorders_are_shown_as_they_are_shipped():
    app = AppTest.from_file(PAGE, default_timeout=120)
    app.session_state["own_recorder"] = True
    app.query_params["own_source"] = "wine"
    app.run()
    shown = [part.value for part in app.code]
    for file in ("recorder_pytorch.py", "recorder_keras.py", "recorder_jax.py"):
        assert (PAGE.parents[1] / "examples" / file).read_text(encoding="utf-8").strip() in shown


def test_the_report_and_the_table_of_features_open():
    app = AppTest.from_file(PAGE, default_timeout=120)
    app.session_state["own_report"] = app.session_state["own_features"] = True
    app.query_params["own_source"] = "wine"
    app.run()
    assert not app.exception
    assert [part.label for part in app.get("download_button")] == ["As HTML", "As JSON"]
    features = app.dataframe[-1].value
    np.testing.assert_allclose(features["mean"], datasets.load("wine")[0].mean(axis=0))
