"""Every page in a real browser: nothing breaks, nothing overflows, the player moves, the themes differ."""
import pytest

PAGES = ["/", "/trajectories", "/gradient-signs", "/batch-averaging"]
WIDER = """() => [...document.querySelectorAll('[data-testid="stMain"]')]
    .some(main => main.scrollWidth > main.clientWidth + 2)"""


def exceptions(page) -> list[str]:
    return page.eval_on_selector_all('[data-testid="stException"]', "found => found.map(e => e.innerText)")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_without_errors_fits_every_width_and_names_its_charts(page, settle, path):
    page.goto(path)
    settle(page)
    assert exceptions(page) == []
    names = page.eval_on_selector_all('[data-testid="stPlotlyChart"]', """charts => charts.map(c =>
        (c.closest('[aria-label]') || c.querySelector('[aria-label], [alt]'))?.getAttribute('aria-label') || '')""")
    assert len(names) >= 2 and all(len(name) > 20 for name in names), names
    for width in (1920, 768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        settle(page)
        assert not page.evaluate(WIDER), f"scrolls sideways at {width} px"
    assert page.zz_errors == []


@pytest.mark.parametrize(("path", "query"), [
    ("/", "inputs=one_hot&dimensions=4"), ("/", "treatment=batch_norm&batch_size=8"),
    ("/trajectories", "inputs=digits&dimensions=16&steps=400&learning_rate=0.5"),
    ("/trajectories", "learning_rate=5&noise=1"), ("/gradient-signs", "treatment=layer_norm&dimensions=3"),
    ("/gradient-signs", "optimizer=adam&learning_rate=0.05"),
    ("/batch-averaging", "inputs=wine&target=labels&loss=logistic"),
    ("/batch-averaging", "dimensions=1&target_angle=0"),
])
def test_other_experiments_give_a_picture_or_a_sentence(page, settle, path, query):
    """The many more combinations run without a browser, in tests/pages."""
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
    page.locator(".st-key-learning_rate input[type=range]").focus()
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
