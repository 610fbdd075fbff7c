"""Presets: their links say what their runs are, their pictures hold these runs, their numbers are measured."""
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from zz_core import Experiment, simulate
from zz_core.experiment import DEFAULTS
from zz_core.measures import unanimous
from zz_core.network.experiment import DEFAULTS as NETWORK_DEFAULTS
from zz_core.network.experiment import PREFIX, NetworkExperiment
from zz_core.summary import summarize
from zz_view import presets, previews
from zz_view.figures.thumbnails import HEIGHT, WIDTH, Line, curves_svg, plane_svg, signs_svg
from zz_view.page import in_steps, percent, two_digits
from zz_view.presets import GROUPS, PRESETS
from zz_view.theme import CENTERED, MINUS, PLUS, RAW, ZERO

DASHBOARD = Path(__file__).parents[1] / "dashboard.py"


def shapes(svg: str, tag: str) -> list[dict[str, str]]:
    return [node.attrib for node in ElementTree.fromstring(svg).iter(tag)]


def points(line: dict[str, str]) -> np.ndarray:
    return np.array([pair.split(",") for pair in line["points"].split()], float)


@pytest.fixture(scope="module")
def made() -> dict[str, previews.Preview]:
    return {key: presets.preview(key) for key in PRESETS}


def test_there_are_enough_and_no_two_are_the_same():
    assert len(PRESETS) >= 12 and sum(map(len, GROUPS.values())) == len(PRESETS)
    assert len({preset.name for preset in PRESETS.values()}) == len(PRESETS)
    assert len({(preset.address, preset.draw) for preset in PRESETS.values()}) == len(PRESETS)
    assert all(preset.look.endswith(".") and len(preset.look) < 110 for preset in PRESETS.values())


@pytest.mark.parametrize("key", PRESETS)
def test_the_link_leads_to_a_page_and_back_to_the_experiment(key):
    preset = PRESETS[key]
    path, query = urlsplit(preset.address).path, parse_qs(urlsplit(preset.address).query)
    pages = re.findall(r'st\.Page\("([\w/]+\.py)"[^)]*url_path="([\w-]+)"', DASHBOARD.read_text(encoding="utf-8"))
    assert (preset.file, path) in pages
    given = {name: values[0] for name, values in query.items()}
    assert Experiment.from_query(given) == preset.experiment
    assert set(given) <= {*DEFAULTS, *(PREFIX + name for name in NETWORK_DEFAULTS)}


def test_the_network_s_preset_draws_the_network_that_its_page_opens():
    params = {name.removeprefix(PREFIX): value for name, value in PRESETS["hidden"].params.items()}
    assert NetworkExperiment(**params) == previews.HIDDEN


@pytest.mark.parametrize("key", PRESETS)
def test_every_preview_is_a_small_picture_and_a_measured_sentence(key, made):
    svg, measured = made[key]
    assert len(svg) < 14_000
    assert not re.search(r"\b(nan|inf)\b", svg) and "undefined" not in measured
    assert re.search(r"\d", measured) and not measured.endswith(".")
    assert sum(len(shapes(svg, tag)) for tag in ("polyline", "path")) >= 1


def test_the_path_of_the_picture_is_the_path_of_the_run(made):
    run = simulate(PRESETS["momentum"].experiment)
    (line,) = shapes(made["momentum"].svg, "polyline")
    drawn, weights = points(line), run.weights[0]
    assert len(drawn) == len(weights)
    # pixels are the weights, moved and scaled alike in both directions, upside down
    slope = np.polyfit(weights[:, 0], drawn[:, 0], 1)[0]
    assert slope > 0
    np.testing.assert_allclose(drawn[:, 0] - drawn[0, 0], slope * (weights[:, 0] - weights[0, 0]), atol=0.25)
    np.testing.assert_allclose(drawn[:, 1] - drawn[0, 1], -slope * (weights[:, 1] - weights[0, 1]), atol=0.25)
    assert (drawn.min(axis=0) >= 0).all() and (drawn.max(axis=0) <= (WIDTH, HEIGHT)).all()
    (ring,) = shapes(made["momentum"].svg, "circle")
    assert [float(ring["cx"]), float(ring["cy"])] == pytest.approx(list(drawn[0]))


def test_rings_are_places_of_equal_loss():
    curvature = np.array([[2.0, 0.7], [0.7, 1.0]])
    svg = plane_svg([Line(np.array([[3.0, 1.0], [0.0, 0.0]]), RAW)], np.zeros((1, 2)), curvature)
    (line,), (group,) = shapes(svg, "polyline"), shapes(svg, "g")
    place = re.match(r"translate\((\S+) (\S+)\) rotate\((\S+)\)", group["transform"])
    x, y, turn = map(float, place.groups())
    scale = (points(line)[0] - points(line)[1])[0] / 3.0
    angle = np.linspace(0, 2 * np.pi, 40)
    for ellipse in shapes(svg, "ellipse"):
        flat = np.column_stack([float(ellipse["rx"]) * np.cos(angle), float(ellipse["ry"]) * np.sin(angle)])
        cosine, sine = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
        pixels = flat @ [[cosine, sine], [-sine, cosine]]
        weights = pixels / (scale, -scale)
        losses = np.einsum("ni,ij,nj->n", weights, curvature, weights)
        np.testing.assert_allclose(losses, losses[0], rtol=0.02)
    assert [x, y] == pytest.approx(list(points(line)[1]))


def test_a_flat_direction_gives_long_rings_and_no_error():
    svg = plane_svg([Line(np.eye(2), RAW)], np.zeros((1, 2)), np.array([[1.0, 1.0], [1.0, 1.0]]))
    assert all(float(ring["rx"]) > 100 * float(ring["ry"]) for ring in shapes(svg, "ellipse"))


def test_the_cells_of_the_picture_are_the_signs_of_the_run(made):
    run = simulate(PRESETS["relu"].experiment)
    gradients = run.gradients()[0, : previews.SHOWN_STEPS]
    squares = {shape["fill"]: shape["d"].count("z") for shape in shapes(made["relu"].svg, "path") if "fill" in shape}
    assert squares[PLUS] == (gradients > 0).sum() and squares[MINUS] == (gradients < 0).sum()
    assert squares[ZERO] == (gradients == 0).sum() > 0


def test_each_sign_has_a_glyph_of_its_own():
    glyphs = [shapes(signs_svg(np.array([[sign]])), "path")[-1]["d"] for sign in (-1.0, 0.0, 1.0)]
    minus, zero, plus = glyphs
    assert zero.count("a") == 2 and plus.count("v") == 1 and "v" not in minus and "a" not in minus


def test_curves_are_the_losses_on_a_logarithmic_axis(made):
    raw, twin = shapes(made["dimensions"].svg, "polyline")
    assert raw["stroke"] == RAW and twin["stroke"] == CENTERED
    excess = simulate(PRESETS["dimensions"].experiment).excess_losses()[0]
    drawn, kept = points(raw), np.linspace(0, len(excess) - 1, len(points(raw))).round().astype(int)
    height = np.log(excess[kept])
    slope = (drawn[-1, 1] - drawn[0, 1]) / (height[-1] - height[0])
    np.testing.assert_allclose(drawn[:, 1] - drawn[0, 1], slope * (height - height[0]), atol=0.2)
    words = [node.text for node in ElementTree.fromstring(made["dimensions"].svg).iter("text")]
    assert words == ["raw", "zero-centered"]


def test_names_of_curves_stay_in_the_picture_and_apart():
    steps = np.arange(50.0)
    curves = [Line(np.column_stack([steps, np.exp(-rate * steps)]), RAW, name)
              for rate, name in ((0.010, "first"), (0.011, "second"), (0.5, "zero-centered"))]
    found = [(float(t["x"]), float(t["y"])) for t in shapes(curves_svg(curves), "text")]
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in found)
    assert all(abs(a[0] - b[0]) > 40 or abs(a[1] - b[1]) > 12 for i, a in enumerate(found) for b in found[:i])


def test_zeros_and_diverged_values_leave_gaps_in_a_curve():
    values = np.array([1.0, 0.1, 0.0, np.nan, 0.01])
    (line,) = shapes(curves_svg([Line(np.column_stack([np.arange(5.0), values]), RAW, "raw")]), "polyline")
    assert len(points(line)) == 3


def measures(key: str) -> tuple[str, str, str]:
    found = summarize(simulate(PRESETS[key].experiment))
    return two_digits(found.path_ratio[0], "x"), in_steps(found.steps[0]), percent(found.same_sign[0])


@pytest.mark.parametrize("key", ["cs231n", "valley", "bounce", "momentum", "north_east", "adam"])
def test_the_number_under_a_path_is_its_length(key, made):
    assert measures(key)[0] in made[key].measured


@pytest.mark.parametrize("key", ["valley", "bounce", "momentum", "parking", "one_hot", "line_search", "gauss_newton"])
def test_the_steps_under_a_path_are_measured(key, made):
    steps = measures(key)[1]
    assert steps in made[key].measured and "reached" not in steps


@pytest.mark.parametrize("key", ["batch", "layer_norm", "relu", "one_hot", "flipped"])
def test_the_share_of_one_sign_is_measured(key, made):
    assert measures(key)[2] in made[key].measured


def test_what_the_sentences_promise_is_what_is_measured(made):
    """Each sentence that could be wrong about its run, checked on the run."""
    def run(key):
        return simulate(PRESETS[key].experiment)

    assert summarize(run("north_east")).path_ratio[0] < 1.3
    assert summarize(run("valley")).path_ratio[0] < 1.01 and summarize(run("valley")).steps[0] > 100
    assert unanimous(run("bounce").gradients()[0, :40]).all()
    assert (run("one_hot").inputs >= 0).all() and (run("relu").inputs >= 0).all() and (run("digits").inputs >= 0).all()
    assert summarize(run("gauss_newton")).steps[0] == 1
    assert 0 < summarize(run("layer_norm")).same_sign[0] + 1e-9 < 1e-6
    assert "First step at 45°" in made["adam"].measured and "90°" in made["line_search"].measured
    assert len(run("parking").inputs) == 2
    share = summarize(run("batch")).same_sign[0]
    assert 0.8 < share < 1
    zeros = float((run("relu").gradients() == 0).mean())
    assert 0.4 < zeros < 0.6 and f"{100 * zeros:.0f}\xa0%" in made["relu"].measured


def test_a_preview_is_made_once(monkeypatch):
    calls = []
    draw = PRESETS["bounce"].draw
    monkeypatch.setitem(PRESETS, "again", PRESETS["bounce"]._replace(draw=lambda e: calls.append(1) or draw(e)))
    assert presets.preview("again") is presets.preview("again") and calls == [1]
    assert "again" in presets.ready()
    presets._made()[0].pop("again")
