"""The start and the target on the planes, placed by mouse, by finger, by keyboard and by two clicks."""
import math
from dataclasses import replace

import numpy as np
import pytest

from tests.browser.test_axe import in_themes, violations
from tests.browser.test_compare import experiment_of
from zz_core import Experiment, simulate
from zz_core.geometry import simulate_moved
from zz_core.planes import plane_of
from zz_view.handles import start_of, target_of
from zz_view.runs import twins

PLANES = {"/trajectories": "plane_raw", "/geometry": "plane"}


def opened(page, settle, address: str = "/trajectories"):
    page.goto(address)
    settle(page)
    return page


def handle(page, name: str, chart: str = "plane_raw"):
    return page.locator(f".st-key-{chart}.chart .handle[data-name={name}]")


def middle(locator) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def pull(page, locator, dx: float, dy: float) -> None:
    x, y = middle(locator)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)


def drag(page, settle, locator, dx: float, dy: float) -> None:
    pull(page, locator, dx, dy)
    page.mouse.up()
    settle(page)


@pytest.mark.parametrize("path", PLANES)
def test_the_target_is_dragged_and_address_sidebar_and_run_follow(page, settle, path):
    opened(page, settle, path)
    target, start = handle(page, "target", PLANES[path]), handle(page, "start", PLANES[path])
    picture = page.locator(f".st-key-{PLANES[path]}.chart canvas.base")
    before, there, unmoved = picture.evaluate("canvas => canvas.toDataURL()"), middle(target), middle(start)
    drag(page, settle, target, 90, 20)
    now = experiment_of(page)
    assert now.target_angle < 90 and now.distance != 2 and (now.start_along, now.start_across) == (0, 0)
    assert float(page.locator(".st-key-distance input[type=number]").input_value()) == now.distance
    slider = page.locator(".st-key-target_angle input[type=range]")
    assert slider.get_attribute("aria-valuetext") == f"{now.target_angle:g}"
    assert picture.evaluate("canvas => canvas.toDataURL()") != before
    # the picture stays where it is, so that what was dropped stays under the pointer
    assert middle(target) == pytest.approx((there[0] + 90, there[1] + 20), abs=2)
    assert middle(start) == pytest.approx(unmoved, abs=0.5)
    address = page.url
    page.reload()
    settle(page)
    assert experiment_of(page) == now and page.url == address
    assert page.zz_errors == []


FOLLOW = """([chart, start, target]) => {
    const boards = [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')]
        .map(each => each.shadowRoot.querySelector('.board').zigzagBoard)
    return Array.from(boards.find(board => board.charts.has(chart)).charts.get(chart).handles.follow(start, target))
}"""


FOLLOWED = [
    "", "batch_size=8&noise=0.3&schedule=cosine&treatment=whiten", "batch_size=256&start_along=1",
    "dimensions=5&steps=50", "optimizer=momentum", "optimizer=nesterov&noise=0.2",
    "optimizer=rmsprop&learning_rate=0.05", "optimizer=adam&learning_rate=0.05&batch_size=4&treatment=standardize",
    # other losses: the teacher's targets through their link, with noise and recentered, and labels, which stay
    "loss=logistic&treatment=center", "loss=logistic&noise=0.5&batch_size=4&schedule=inverse_sqrt",
    "loss=sigmoid_squared&treatment=layer_norm&batch_size=256", "inputs=wine&target=labels&loss=logistic",
    "inputs=wine&target=labels&treatment=standardize&batch_size=4",
    # a bias, normalized batches, and a bias of each input, whose rate goes with the optimum
    "bias=true&start_bias=0.5", "bias=true&loss=logistic&batch_size=256&optimizer=nesterov",
    "treatment=batch_norm&batch_size=8&noise=0.2", "treatment=batch_norm&batch_size=256&bias=true&loss=logistic",
    "treatment=input_bias", "treatment=input_bias&batch_size=16&bias=true&start_bias=-0.5&optimizer=momentum",
    "treatment=input_bias&batch_size=256&start_across=0.5&inputs=one_hot&bias=true",
    "treatment=input_bias&loss=logistic&optimizer=adam&learning_rate=0.05",
    # rules that solve and search
    "optimizer=gauss_newton&noise=0.2&batch_size=3",
    "optimizer=gauss_newton&learning_rate=0.1&dimensions=7&batch_size=4",
    "optimizer=gauss_newton&learning_rate=0.1&loss=logistic&bias=true&batch_size=256&steps=50",
    "optimizer=levenberg_marquardt&damping=0.01&treatment=input_bias&batch_size=8",
    "optimizer=levenberg_marquardt&loss=sigmoid_squared&batch_size=4",
    "optimizer=steepest_descent&noise=0.2&batch_size=8&bias=true",
    "optimizer=steepest_descent&loss=logistic&batch_size=8",
    "optimizer=steepest_descent&treatment=input_bias&batch_size=4",
    # many samples: the triangular factor of a full batch, or those that are drawn
    "samples=16384&batch_size=16384&bias=true&noise=0.5", "samples=65536&noise=0.1&treatment=center",
    "samples=8192&batch_size=64&noise=0.2&treatment=batch_norm&steps=100",
    "samples=4096&batch_size=4096&treatment=input_bias&optimizer=steepest_descent", "learning_rate=3&batch_size=4"]


@pytest.mark.parametrize("query", FOLLOWED)
def test_the_run_that_follows_the_hand_is_the_one_that_the_server_would_draw(page, settle, query):
    opened(page, settle, f"/trajectories?{query}")
    before, start, target = experiment_of(page), np.array([0.5, -0.25]), np.array([-1.0, 1.5])
    if before.uses_labels:
        target = target_of(before)
    there = moved_to(before, start, target)
    for chart, old, new in zip(("plane_raw", "plane_twin"), twins(before), twins(there), strict=True):
        seen = followed(page, chart, start, target)
        run, axes = simulate(new), plane_of(simulate(old)).axes
        last = run.diverged_at[0] if run.diverged_at[0] >= 0 else before.steps
        np.testing.assert_allclose(seen, run.weights[0, : last + 1] @ axes.T, rtol=1e-6, atol=1e-7)
    assert page.zz_errors == []


def moved_to(before: Experiment, start: np.ndarray, target: np.ndarray) -> Experiment:
    way = target - start
    return replace(before, start_along=float(start[0]), start_across=float(start[1]), distance=float(np.hypot(*way)),
                   target_angle=math.degrees(math.atan2(way[1], way[0])) % 360)


def followed(page, chart: str, start: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.array(page.evaluate(FOLLOW, [chart, start.tolist(), target.tolist()]), float).reshape(-1, 2)


@pytest.mark.parametrize("query", ["mean_shift=1.5", "mean_shift=-2&loss=logistic&bias=true&dimensions=4",
                                   "mean_shift=1&treatment=input_bias&batch_size=4&noise=0.2",
                                   "mean_shift=1&treatment=standardize&batch_size=256"])
def test_the_run_on_moved_inputs_follows_with_its_targets(page, settle, query):
    opened(page, settle, f"/geometry?{query}")
    before, start, target = experiment_of(page), np.array([0.5, -0.25]), np.array([-1.0, 1.5])
    shift = float(query.split("&")[0].split("=")[1])
    old, new = (simulate_moved(each, simulate(each).task, shift) for each in (before, moved_to(before, start, target)))
    np.testing.assert_allclose(followed(page, "plane", start, target), new.weights[0] @ plane_of(old).axes.T,
                               rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("query", "steps"), [("steps=100000", 32768),
                                              ("steps=2000&batch_size=256&loss=logistic", 641)])
def test_a_run_that_takes_too_long_follows_for_its_first_steps_and_says_so(page, settle, query, steps):
    opened(page, settle, f"/trajectories?{query}")
    before, start, target = experiment_of(page), np.array([0.5, -0.25]), np.array([-1.0, 1.5])
    seen = followed(page, "plane_raw", start, target)
    expected = simulate(moved_to(before, start, target)).weights[0, : steps + 1]
    np.testing.assert_allclose(seen, expected, rtol=1e-6, atol=1e-7)
    pull(page, handle(page, "target"), 40, 10)
    note = page.locator(".st-key-plane_raw.chart .note").inner_text()
    assert note.endswith(f" from the start\nFirst {steps:,} of {before.steps:,} steps")


def test_with_labels_the_run_follows_the_start(page, settle):
    opened(page, settle, "/trajectories?inputs=wine&target=labels&loss=logistic")
    marks, stage = page.locator(".st-key-plane_twin.chart canvas.marks"), page.locator(".st-key-plane_twin .stage")
    before = marks.evaluate("canvas => canvas.toDataURL()")
    pull(page, handle(page, "start"), 50, 20)
    assert "following" in stage.get_attribute("class") and marks.evaluate("canvas => canvas.toDataURL()") != before


def test_a_target_that_is_dragged_on_one_plane_moves_the_run_on_the_other(page, settle):
    """The layer norm's optimum is not where the teacher is, and so has no handle; its run goes with the teacher."""
    opened(page, settle, "/trajectories?treatment=layer_norm")
    assert not handle(page, "target", "plane_twin").count()
    pull(page, handle(page, "target"), 50, 20)
    assert "following" in page.locator(".st-key-plane_twin .stage").get_attribute("class")


def test_the_run_follows_while_the_handle_is_held(page, settle):
    opened(page, settle)
    marks, stage = page.locator(".st-key-plane_twin.chart canvas.marks"), page.locator(".st-key-plane_twin .stage")
    seen = {marks.evaluate("canvas => canvas.toDataURL()")}
    for k in range(1, 4):
        pull(page, handle(page, "target"), 20 * k, 10)
        seen.add(marks.evaluate("canvas => canvas.toDataURL()"))
        assert "following" in stage.get_attribute("class")
        page.keyboard.press("Escape")
        page.mouse.up()
    assert len(seen) == 4 and "following" not in stage.get_attribute("class")


def test_the_start_is_dragged_and_the_target_stays(page, settle):
    opened(page, settle)
    target = middle(handle(page, "target"))
    drag(page, settle, handle(page, "start"), -60, -20)
    now = experiment_of(page)
    assert now.start_along < 0 < now.start_across
    assert target_of(now) == pytest.approx(target_of(Experiment()), abs=0.02)
    assert middle(handle(page, "target")) == pytest.approx(target, abs=2)
    page.locator(".st-key-_fold_target summary").click()
    settle(page)
    for name in ("start_along", "start_across"):
        assert float(page.locator(f".st-key-{name} input[type=number]").input_value()) == getattr(now, name)
    assert page.zz_errors == []


def test_a_drag_shows_where_it_goes_on_both_planes_and_escape_cancels_it(page, settle):
    opened(page, settle)
    twin, there = handle(page, "target", "plane_twin"), middle(handle(page, "target"))
    spot = middle(twin)
    pull(page, handle(page, "target"), 70, 50)
    assert middle(twin) == pytest.approx((spot[0] + 70, spot[1] + 50), abs=1)
    note = page.locator(".st-key-plane_raw.chart .note")
    assert note.inner_text().startswith("Target: ") and "from the start" in note.inner_text()
    assert handle(page, "target").get_attribute("aria-valuetext") in note.inner_text()
    page.keyboard.press("Escape")
    page.mouse.up()
    settle(page)
    assert middle(handle(page, "target")) == pytest.approx(there, abs=0.5)
    assert middle(twin) == pytest.approx(spot, abs=0.5)
    assert experiment_of(page) == Experiment() and not note.is_visible()


def test_arrow_keys_place_and_escape_takes_back_step_by_step(page, settle):
    opened(page, settle)
    target = handle(page, "target")
    target.focus()
    there = middle(target)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    page.wait_for_timeout(500)
    settle(page)
    first = experiment_of(page)
    assert middle(target) == pytest.approx((there[0] + 24, there[1] + 1), abs=2)
    assert first != Experiment() and target.evaluate("node => node.matches(':focus')")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")  # without waiting
    settle(page)
    assert experiment_of(page) != first
    page.keyboard.press("Escape")
    settle(page)
    assert experiment_of(page) == first
    target.dblclick()  # the same by mouse
    settle(page)
    assert experiment_of(page) == Experiment() and page.zz_errors == []
    drag(page, settle, target, 40, 40)
    page.locator(".st-key-target_angle input[type=range]").press("ArrowRight")
    settle(page)
    chosen = experiment_of(page)
    target.press("Escape")  # what the sidebar has changed since is not overruled
    settle(page)
    assert experiment_of(page) == chosen


def test_the_handles_are_reached_by_tab_and_tell_where_they_are(page, settle):
    opened(page, settle)
    page.locator(".st-key-plane_raw.chart canvas.base").focus()
    for name in ("Start", "Target"):
        page.keyboard.press("Tab")
        found = page.evaluate("""() => { let node = document.activeElement
            while (node.shadowRoot) node = node.shadowRoot.activeElement
            return [node.role ?? node.getAttribute('role'), node.getAttribute('aria-label'),
                    node.getAttribute('aria-valuetext'), getComputedStyle(node).outlineStyle] }""")
        assert found[:2] == ["slider", name] and found[3] == "solid"
    assert found[2] == "90° from the mean, 2 from the start"


def test_a_click_on_the_handle_and_one_on_the_plane_place_it(page, settle):
    opened(page, settle)
    target = handle(page, "target")
    x, y = middle(target)
    page.mouse.click(x, y)
    assert "Click where" in page.locator(".st-key-plane_raw.chart .note").inner_text()
    page.mouse.click(x + 120, y + 40)
    settle(page)
    assert middle(target) == pytest.approx((x + 120, y + 40), abs=2)
    placed = experiment_of(page)
    page.mouse.click(x + 30, y + 100)  # once only: this click is on the plane, and means nothing
    settle(page)
    assert placed != Experiment() and experiment_of(page) == placed


def test_a_zoom_is_kept_over_a_drop_and_hides_what_is_outside(page, settle):
    opened(page, settle)
    box = page.locator(".st-key-plane_raw.chart canvas.base").bounding_box()
    target = handle(page, "target")
    x, y = middle(target)
    page.mouse.move(box["x"] + 60, box["y"] + 12)  # about the target, but not on it
    page.mouse.down()
    page.mouse.move(x + 90, y + 120, steps=3)
    page.mouse.up()
    page.wait_for_timeout(100)
    assert not handle(page, "start").is_visible() and target.is_visible()
    there = middle(target)
    drag(page, settle, target, 25, 30)
    assert middle(target) == pytest.approx((there[0] + 25, there[1] + 30), abs=2)
    page.locator(".st-key-plane_raw .stage").hover(position={"x": 200, "y": 250})
    reset = page.locator(".st-key-plane_raw").get_by_role("button", name="Show everything again")
    assert reset.is_visible()
    reset.click()
    assert handle(page, "start").is_visible()


def test_the_player_keeps_its_step_over_a_drop(page, settle):
    opened(page, settle)
    page.get_by_role("button", name="One step forward").click()
    drag(page, settle, handle(page, "target"), 40, 40)
    assert page.locator(".st-key-planes .player .words").inner_text().startswith("Step 2.")
    handle(page, "target").focus()
    page.keyboard.press("ArrowRight")  # moves the target, and not the player
    page.keyboard.press("Escape")
    assert page.locator(".st-key-planes .player .words").inner_text().startswith("Step 2.")


@pytest.fixture
def phone(browser, server):
    context = browser.new_context(base_url=server, viewport={"width": 390, "height": 844}, has_touch=True,
                                  is_mobile=True)
    yield context.new_page()
    context.close()


def swipe(page, start: tuple[float, float], dx: float, dy: float) -> None:
    devtools = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    send("touchStart", start)
    for share in (0.25, 0.5, 0.75, 1.0):
        send("touchMove", (start[0] + share * dx, start[1] + share * dy))
        page.wait_for_timeout(20)
    send("touchEnd")


def test_a_finger_drags_a_handle_and_scrolls_the_page_beside_it(phone, settle):
    opened(phone, settle)
    target = handle(phone, "target")
    target.scroll_into_view_if_needed()
    assert min(target.bounding_box()[side] for side in ("width", "height")) >= 24
    x, y = middle(target)
    swipe(phone, (x, y), 80, 60)
    settle(phone)
    now = experiment_of(phone)
    assert now != Experiment() and middle(target) == pytest.approx((x + 80, y + 60), abs=3)
    swipe(phone, (x + 150, y + 20), 0, -200)  # on the plane, where no handle is
    phone.wait_for_timeout(300)
    assert middle(target)[1] < y - 20 and experiment_of(phone) == now
    # two taps, for who cannot drag
    target.scroll_into_view_if_needed()
    settle(phone)
    x, y = middle(target)
    phone.touchscreen.tap(x, y)
    phone.touchscreen.tap(x - 40, y + 30)
    settle(phone)
    assert experiment_of(phone) != now and middle(target) == pytest.approx((x - 40, y + 30), abs=3)


@pytest.mark.parametrize("path", PLANES)
def test_axe_finds_nothing_in_placed_handles(page, settle, path):
    opened(page, settle, path)
    drag(page, settle, handle(page, "start", PLANES[path]), -30, -30)
    handle(page, "target", PLANES[path]).click()  # armed, with its note
    assert in_themes(page, settle, lambda: violations(page)) == {"light": [], "dark": []}


def test_the_way_that_is_told_is_the_run_s(page, settle):
    opened(page, settle, "/trajectories?treatment=standardize&dimensions=2")
    drag(page, settle, handle(page, "target", "plane_twin"), 50, 70)  # another frame than that of raw inputs
    now = experiment_of(page)
    way = target_of(now) - start_of(now)
    angle, distance = math.degrees(math.atan2(way[1], way[0])) % 360, math.hypot(*way)
    for chart in ("plane_raw", "plane_twin"):
        told = handle(page, "target", chart).get_attribute("aria-valuetext")
        assert told.startswith(f"{angle:.0f}° from the mean, {distance:.3g}"[:24])
