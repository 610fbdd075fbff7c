"""Every page in a real browser: nothing breaks, nothing overflows, the player moves, the themes differ."""
import re

import pytest

from tests.browser import labels

PAGES = ["/", "/trajectories", "/gradient-signs", "/batch-averaging", "/geometry", "/saturation", "/remedies",
         "/deep-network", "/your-data", "/sweep"]
WIDER = """() => [...document.querySelectorAll('[data-testid="stMain"]')]
    .some(main => main.scrollWidth > main.clientWidth + 2)"""


def exceptions(page) -> list[str]:
    return page.eval_on_selector_all('[data-testid="stException"]', "found => found.map(e => e.innerText)")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_without_errors_fits_every_width_and_names_its_charts(page, settle, path):
    labels.record(page)
    page.goto(path)
    settle(page)
    assert exceptions(page) == [] and labels.troubles(page) == []
    names = page.eval_on_selector_all('[data-testid="stPlotlyChart"]', """charts => charts.map(c =>
        (c.closest('[aria-label]') || c.querySelector('[aria-label], [alt]'))?.getAttribute('aria-label') || '')""")
    names += [canvas.get_attribute("aria-label") or "" for canvas in page.locator(".board canvas.base").all()]
    assert names and all(len(name) > 20 and re.search(r"\d", name) for name in names), names  # of the run
    for width in (1920, 768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        settle(page)
        assert not page.evaluate(WIDER), f"scrolls sideways at {width} px"
        assert labels.troubles(page) == [], f"at {width} px"
    assert page.zz_errors == []


@pytest.mark.parametrize(("path", "query"), [
    ("/", "inputs=one_hot&dimensions=4"), ("/", "treatment=batch_norm&batch_size=8"),
    ("/trajectories", "inputs=digits&dimensions=16&steps=400&learning_rate=0.5"),
    ("/trajectories", "learning_rate=5&noise=1"), ("/trajectories", "distance=0"),
    ("/gradient-signs", "treatment=layer_norm&dimensions=3"),
    ("/gradient-signs", "optimizer=adam&learning_rate=0.05"),
    ("/batch-averaging", "inputs=wine&target=labels&loss=logistic"),
    ("/batch-averaging", "dimensions=1&target_angle=0"), ("/geometry", "inputs=wine&dimensions=5"),
    ("/saturation", "inputs=factorial&dimensions=8"), ("/remedies", "lanes=nothing&lanes=center&dimensions=4"),
    ("/deep-network", "net_data=moons&net_layers=8&net_activation=tanh"),
])
def test_other_experiments_give_a_picture_or_a_sentence(page, settle, path, query):
    """The many more combinations run without a browser, in tests/pages."""
    page.goto(f"{path}?{query}")
    settle(page)
    assert exceptions(page) == []
    assert page.zz_errors == []
    charts = page.locator('[data-testid="stPlotlyChart"] .main-svg, .board canvas.base').count()
    assert charts or page.locator('[data-testid="stAlert"]').count()


def test_claims_are_decided_and_lead_to_their_experiments(page, settle):
    page.goto("/claims")
    settle(page)
    links = page.get_by_role("link", name="See the experiment")
    assert links.count() >= 15
    targets = {link.get_attribute("href") for link in links.all()}
    for target in sorted(targets)[::8]:
        page.goto(page.evaluate("href => new URL(href, location.origin + '/claims').href", target))
        settle(page)
        assert exceptions(page) == [] and page.locator("h1").inner_text()
    assert page.zz_errors == []


def ring(page, chart: str) -> tuple[float, float]:
    """Where the ring of the present step stands on a chart, in pixels."""
    marks = page.locator(f".st-key-{chart}.chart").evaluate(
        "node => node.closest('.board').zigzagBoard.charts.get(/st-key-(\\w+)/.exec(node.className)[1]).present")
    (mark,) = [mark for mark in marks if mark["kind"] == "point"][:1]
    return mark["px"], mark["py"]


def ink(page, chart: str, canvas: str = "base") -> list[int]:
    """How many pixels of a chart are painted, and a sum over them that changes with the picture."""
    return page.locator(f".st-key-{chart}.chart canvas.{canvas}").evaluate("""canvas => {
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
        let painted = 0, sum = 0
        for (let k = 0; k < data.length; k += 4) if (data[k + 3]) { painted += 1; sum = (sum * 31 + data[k] + k) % 1e9 }
        return [painted, sum]
    }""")


def test_the_player_steps_plays_and_scrubs_both_ways(page, settle):
    page.goto("/trajectories")
    settle(page)
    start = ring(page, "plane_raw")
    words = page.locator(".st-key-planes .player .words")
    assert words.inner_text().startswith("Step 1.")
    page.get_by_role("button", name="One step forward").click()
    page.wait_for_timeout(100)
    second = ring(page, "plane_raw")
    assert second != start and words.inner_text().startswith("Step 2.")
    page.get_by_role("button", name="One step back").click()
    page.wait_for_timeout(100)
    assert ring(page, "plane_raw") == pytest.approx(start)
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Pause").click()
    assert int(words.inner_text().split()[1].rstrip(".")) > 5
    scrubber = page.get_by_role("slider", name="Step", exact=True)
    scrubber.focus()
    page.keyboard.press("End")
    assert words.inner_text().startswith("After 200 steps")
    page.keyboard.press("ArrowLeft")
    assert words.inner_text().startswith("Step 200.")
    page.wait_for_timeout(100)
    one_before_the_end = ring(page, "losses")
    page.keyboard.press("Home")
    page.wait_for_timeout(100)
    assert ring(page, "plane_raw") == pytest.approx(start)
    assert ring(page, "losses") != one_before_the_end  # the other board follows
    assert page.zz_errors == []


def test_the_marks_survive_a_rerun(page, settle):
    page.goto("/trajectories")
    settle(page)
    page.get_by_role("button", name="One step forward").click()
    page.locator(".st-key-learning_rate input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.locator(".st-key-planes .player .words").inner_text().startswith("Step 2.")
    assert ring(page, "plane_raw")


def test_a_zoom_is_shared_by_the_twins_survives_a_rerun_and_ends(page, settle):
    page.goto("/trajectories")
    settle(page)
    whole, whole_twin = ink(page, "plane_raw"), ink(page, "plane_twin")
    assert min(whole[0], whole_twin[0]) > 50_000
    start = ring(page, "plane_raw")
    box = page.locator(".st-key-plane_raw.chart canvas.base").bounding_box()
    page.mouse.move(box["x"] + 190, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 320, box["y"] + 180, steps=3)
    page.mouse.up()
    page.wait_for_timeout(100)
    assert ink(page, "plane_raw") != whole and ink(page, "plane_twin") != whole_twin
    reset = page.locator(".st-key-plane_raw").get_by_role("button", name="Show everything again")
    page.get_by_role("slider", name="Learning rate").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    page.locator(".st-key-plane_raw .stage").hover()
    assert reset.is_visible()  # another run, the same zoom
    page.get_by_role("slider", name="Learning rate").focus()
    page.keyboard.press("ArrowLeft")
    settle(page)
    page.locator(".st-key-plane_raw .stage").hover()
    reset.click()
    page.wait_for_timeout(100)
    assert ink(page, "plane_raw") == whole and not reset.is_visible()
    page.locator(".st-key-plane_raw.chart canvas.base").focus()
    page.keyboard.press("+")
    assert ring(page, "plane_raw") != pytest.approx(start)
    page.keyboard.press("0")
    assert ring(page, "plane_raw") == pytest.approx(start)
    assert page.zz_errors == []


def test_a_point_of_the_path_says_its_step(page, settle):
    page.goto("/trajectories")
    settle(page)
    page.get_by_role("slider", name="Step", exact=True).fill("60")
    page.wait_for_timeout(100)
    box = page.locator(".st-key-plane_raw.chart canvas.base").bounding_box()
    x, y = ring(page, "plane_raw")
    page.mouse.move(box["x"] + x + 1, box["y"] + y + 1)
    tip = page.locator(".st-key-plane_raw .tip")
    assert tip.inner_text().startswith("step ")
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    assert not tip.is_visible()


def test_a_canvas_draws_all_that_plotly_would(page, settle):
    """What the canvas cannot draw it refuses aloud, as an error of the page; here every trace leaves its color."""
    page.goto("/trajectories?other_seeds=5")
    settle(page)
    colors = page.locator(".st-key-plane_raw.chart canvas.base").evaluate("""canvas => {
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data, found = {}
        for (let k = 0; k < data.length; k += 4) {
            const is = (...color) => data[k + 3] > 200 && color.every((c, j) => Math.abs(data[k + j] - c) < 12)
            if (is(0xA6, 0x41, 0x8F)) found.path = (found.path ?? 0) + 1
            if (is(0x6A, 0x71, 0x79)) found.ends = (found.ends ?? 0) + 1
            if (data[k + 3] > 20 && data[k + 3] < 120) found.contours = (found.contours ?? 0) + 1
        }
        return found
    }""")
    assert colors["path"] > 50 and colors["ends"] > 40 and colors["contours"] > 20_000
    assert page.zz_errors == []


def test_words_that_lie_on_each_other_or_are_cut_off_would_be_found(page, settle):
    labels.record(page)
    page.goto("/trajectories")
    settle(page)
    page.locator(".st-key-losses canvas.base").evaluate("""canvas => {
        const context = canvas.getContext('2d')
        for (const x of [100, 120, canvas.width - 4]) context.fillText('a label', x, 100)
    }""")
    assert [words.split(": ")[1] for words in labels.troubles(page)] == ['"a label" lies on "a label"',
                                                                         '"a label" is cut off']


@pytest.mark.parametrize("scene", ["Two quadrants", "Zig-zag", "The batch", "What is slow", "What to do"])
def test_no_word_of_a_scene_hides_another(page, settle, scene):
    """The first scene is the one that the other tests of the page see."""
    labels.record(page)
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"/?scene={scene.replace(' ', '+')}")
        settle(page)
        assert labels.troubles(page) == [], f"at {width} px"


def test_the_names_of_lines_lie_on_no_line(page, settle):
    """The zero-centered run's name beside its point would lie on the dashed theory."""
    page.goto("/trajectories")
    settle(page)
    struck = page.locator(".st-key-losses canvas.base").evaluate("""canvas => {
        const { ready } = canvas.getRootNode().querySelector('.board').zigzagBoard.charts.get('losses')
        const { placed, traces, axes: { x, y } } = ready, lines = traces.filter(trace => trace.line.width)
        const points = lines.flatMap(line => Array.from(line.x, (at, k) => [x.toPixel(at), y.toPixel(line.y[k])]))
        return placed.map(({ left, right, top, bottom }) => points.filter(([px, py]) =>
            px > left && px < right && py > top + 3 && py < bottom - 3).length)
    }""")
    assert struck == [0, 0]


def test_both_themes_are_drawn(browser, server, settle):
    backgrounds = set()
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(f"{server}/trajectories")
        settle(page)
        backgrounds.add(page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor"))
        context.close()
    assert len(backgrounds) == 2


@pytest.mark.parametrize(("path", "chart"), [("/batch-averaging", "batch_raw"), ("/geometry", "cloud")])
def test_marks_are_seen_on_the_shade_that_one_sample_allows(browser, server, settle, path, chart):
    """In the dark theme the raw inputs' hue has a contrast of 3 on the page, and of 2.2 on the shaded cone."""
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(f"{server}{path}")
    settle(page)
    ground, paper = page.locator(f".st-key-{chart} canvas.base").evaluate("""(canvas, chart) => {
        const { ready } = canvas.getRootNode().querySelector('.board').zigzagBoard.charts.get(chart)
        return [ready.cells[0].ground, ready.paper]
    }""", chart)
    context.close()
    assert ground != paper
