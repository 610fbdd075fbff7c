"""Every page in a real browser: nothing breaks, nothing overflows, the player moves, the themes differ."""
import pytest

PAGES = ["/", "/trajectories", "/gradient-signs", "/batch-averaging"]
WIDER = """() => [...document.querySelectorAll('[data-testid="stMain"]')]
    .some(main => main.scrollWidth > main.clientWidth + 2)"""


def exceptions(page) -> list[str]:
    return page.eval_on_selector_all('[data-testid="stException"]', "found => found.map(e => e.innerText)")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", [390, 1440, 1920])
def test_a_page_loads_without_errors_and_fits(page, settle, path, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path)
    settle(page)
    assert exceptions(page) == []
    assert page.zz_errors == []
    assert not page.evaluate(WIDER)
    assert page.locator('[data-testid="stPlotlyChart"] .main-svg').count() >= 2


@pytest.mark.parametrize("path", PAGES)
def test_charts_have_names_in_words(page, settle, path):
    page.goto(path)
    settle(page)
    names = page.eval_on_selector_all('[data-testid="stPlotlyChart"]', """charts => charts.map(c =>
        (c.closest('[aria-label]') || c.querySelector('[aria-label], [alt]'))?.getAttribute('aria-label') || '')""")
    assert names and all(len(name) > 20 for name in names), names


@pytest.mark.parametrize("query", [
    "inputs=digits&dimensions=16&steps=400&learning_rate=0.5", "inputs=wine&target=labels&loss=logistic",
    "inputs=one_hot&dimensions=4", "treatment=layer_norm&dimensions=3", "treatment=batch_norm&batch_size=8",
    "treatment=input_bias&bias=true", "optimizer=steepest_descent", "optimizer=adam&learning_rate=0.05",
    "learning_rate=5&noise=1", "dimensions=1&target_angle=0", "distance=0", "samples=16&batch_size=64",
])
@pytest.mark.parametrize("path", PAGES)
def test_every_kind_of_experiment_gives_a_picture_or_a_sentence(page, settle, path, query):
    page.goto(f"{path}?{query}")
    settle(page)
    assert exceptions(page) == []
    assert page.zz_errors == []
    charts = page.locator('[data-testid="stPlotlyChart"] .main-svg').count()
    assert charts or page.locator('[data-testid="stAlert"]').count()


def ring(page, chart: str) -> tuple[float, float]:
    circle = page.locator(f".st-key-{chart} .zigzag-step circle")
    circle.wait_for(state="attached", timeout=10_000)
    return float(circle.get_attribute("cx")), float(circle.get_attribute("cy"))


def test_the_player_steps_plays_and_scrubs_both_ways(page, settle):
    page.goto("/trajectories")
    settle(page)
    start = ring(page, "plane_raw")
    words = page.locator(".player .words")
    assert words.inner_text().startswith("Step 1.")
    page.get_by_role("button", name="One step forward").click()
    page.wait_for_function("document.querySelector('.st-key-plane_raw .zigzag-step circle')", timeout=5000)
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
    losses, planes = ring(page, "plane_twin"), ring(page, "plane_raw")
    assert losses and planes and page.zz_errors == []


def test_the_marks_survive_a_rerun(page, settle):
    page.goto("/trajectories")
    settle(page)
    page.get_by_role("button", name="One step forward").click()
    page.get_by_role("slider", name="Learning rate").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.locator(".player .words").inner_text().startswith("Step 2.")
    assert ring(page, "plane_raw")


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
