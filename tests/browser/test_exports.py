"""The menu of a chart: its data as a table and CSV, its picture as PNG and SVG, and both as one page."""
import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.browser.test_axe import AXE, in_themes
from zz_core import Experiment, simulate

MENU = "Data and pictures of this chart"


def menu(page, chart: str):
    page.locator(f".st-key-{chart}.chart").get_by_role("button", name=MENU).click()
    found = page.locator(f".st-key-{chart}.chart .menu")
    found.wait_for()
    return found


def saved(page, chart: str, choice: str) -> bytes:
    choices = menu(page, chart)
    with page.expect_download(timeout=10_000) as download:
        choices.get_by_role("button", name=choice).click(timeout=5000)
    assert download.value.suggested_filename.startswith(f"zigzag-{chart}.")
    return Path(download.value.path()).read_bytes()


def table_of(page, chart: str, caption: str) -> pd.DataFrame:
    menu(page, chart).get_by_role("button", name="Show the data as a table").click()
    table = page.locator("dialog table", has=page.locator("caption", has_text=caption)).first
    head, *rows = table.evaluate("node => [...node.rows].map(row => [...row.cells].map(cell => cell.textContent))")
    return pd.DataFrame(rows, columns=head)


def test_the_menu_works_by_keyboard_and_gives_the_focus_back(page, settle):
    page.goto("/trajectories")
    settle(page)
    button = page.locator(".st-key-plane_raw.chart").get_by_role("button", name=MENU)
    button.focus()
    page.keyboard.press("Enter")
    focused = "() => document.activeElement.shadowRoot.activeElement.textContent"
    page.locator(".menu").wait_for()
    assert button.get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused) == "Picture and data as a page (HTML)"
    page.keyboard.press("Escape")
    assert page.locator(".menu").count() == 0 and button.get_attribute("aria-expanded") == "false"
    page.keyboard.press("Enter")
    page.locator(".menu").wait_for()
    page.keyboard.press("Enter")  # the table is the first choice
    page.locator("dialog[open]").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("dialog").count() == 0
    assert button.evaluate("node => node.getRootNode().activeElement === node")
    page.keyboard.press("Enter")
    page.locator(".menu").wait_for()
    page.get_by_role("heading", level=1).click()  # elsewhere
    assert page.locator(".menu").count() == 0 and page.zz_errors == []


def test_the_table_and_the_csv_hold_the_run(page, settle):
    page.goto("/trajectories?learning_rate=0.3&steps=150")
    settle(page)
    run = simulate(Experiment(learning_rate=0.3, steps=150))
    losses = run.excess_losses()[0]
    table = table_of(page, "losses", "excess loss")
    assert table.columns[0] == "step" and len(table) == 151
    np.testing.assert_allclose(table["raw"].astype(float), losses, rtol=1e-5)
    assert {"zero-centered", "raw, theory", "raw, most of the other seeds, low"} <= set(table.columns)
    page.get_by_role("button", name="Close").click()
    frame = pd.read_csv(io.BytesIO(saved(page, "losses", "Data as CSV")))
    np.testing.assert_allclose(frame.loc[frame.series == "raw", "excess loss"], losses, rtol=1e-6)
    frame = pd.read_csv(io.BytesIO(saved(page, "plane_raw", "Data as CSV")))
    path = frame[frame.series == "raw"]  # drawn in pieces, and whole again
    np.testing.assert_array_equal(path["step"], np.arange(151))
    np.testing.assert_allclose(path[["w₁", "w₂"]], run.weights[0], rtol=1e-5, atol=1e-7)
    assert list(frame.loc[frame.series == "start and optimum", "point"]) == ["start", "optimum"]
    assert (frame.series == "loss").sum() == 80 * 80 and page.zz_errors == []


def test_cells_are_a_table_and_too_many_are_summed_up(page, settle):
    page.goto("/gradient-signs?steps=20")
    settle(page)
    signs = np.sign(simulate(Experiment(steps=20)).gradients()[0])
    table = table_of(page, "signs_raw", "signs")
    assert list(table.iloc[:, 0]) == ["w₁", "w₂"]
    assert table.iloc[:, 1:].replace({"+": 1, "−": -1, "0": 0}).to_numpy(int).T.tolist() == signs.tolist()
    page.goto("/gradient-signs?steps=300&columns=400&dimensions=20")
    settle(page)
    frame = pd.read_csv(io.BytesIO(saved(page, "signs_raw", "Data as CSV")))
    assert len(frame) == 300 * 20
    table = table_of(page, "signs_raw", "too many to read")
    assert len(table) == 20 and (table["cells with +"].astype(int).sum() == (frame.signs == "+").sum() > 0)
    assert page.zz_errors == []


@pytest.mark.parametrize(("path", "chart"), [("/trajectories", "plane_raw"), ("/batch-averaging", "batch_raw"),
                                             ("/geometry", "rate_map")])
def test_the_svg_is_the_picture(page, settle, path, chart):
    page.goto(path)
    settle(page)
    painted = Image.open(io.BytesIO(saved(page, chart, "Picture as PNG"))).convert("RGB")
    text = saved(page, chart, "Picture as SVG").decode()
    root = ElementTree.fromstring(text)
    names = {node.tag.rpartition("}")[2]: node.text for node in root[:2]}
    alt = page.locator(f".st-key-{chart} canvas.base").get_attribute("aria-label")
    assert names["desc"] == alt and names["title"] in page.locator(f".st-key-{chart} figcaption").inner_text()
    page.evaluate("""svg => {
        const sheet = document.body.appendChild(document.createElement('div'))
        sheet.style = 'position: fixed; inset: 0 auto auto 0; z-index: 9999999; line-height: 0'
        sheet.innerHTML = svg
    }""", text)
    shot = page.screenshot(clip={"x": 0, "y": 0, "width": painted.width, "height": painted.height})
    drawn = Image.open(io.BytesIO(shot)).convert("RGB")
    apart = np.abs(np.asarray(painted, int) - np.asarray(drawn, int)).max(axis=-1)
    assert (apart > 64).mean() < 0.006, "text and thin lines may differ by a fraction of a pixel, nothing else"


def test_the_page_needs_no_network(page, settle, browser, tmp_path):
    page.goto("/trajectories?steps=30")
    settle(page)
    file = tmp_path / "chart.html"
    file.write_bytes(saved(page, "losses", "Picture and data as a page"))
    context = browser.new_context(offline=True)
    alone, requests = context.new_page(), []
    alone.on("request", lambda request: requests.append(request.url))
    alone.goto(file.as_uri())
    assert alone.title() == "The excess loss of the same two runs"
    assert alone.get_by_role("link", name="open this experiment").get_attribute("href") == page.url
    assert alone.locator("svg path").count() > 5
    alone.locator("summary").click()
    assert alone.locator("table").first.locator("tbody tr").count() == 31
    with alone.expect_download() as download:
        alone.get_by_role("link", name="All data as CSV").click()
    assert b"raw" in Path(download.value.path()).read_bytes()
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    context.close()


def test_what_does_not_load_is_said(page, settle):
    page.route("**/canvas/**/chart_tools.js", lambda route: route.abort())
    page.goto("/trajectories")
    settle(page)
    page.locator(".st-key-losses.chart").get_by_role("button", name=MENU).click()
    page.locator(".st-key-losses .tip", has_text="reload the page").wait_for()


def test_axe_finds_nothing_in_the_table(page, settle):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/trajectories")
    settle(page)
    menu(page, "losses").get_by_role("button", name="Show the data as a table").click()
    page.locator("dialog[open]").wait_for()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    # the rest of the page has a test of its own
    axe = "axe.run('.st-key-loss_curves', { resultTypes: ['violations'] })"
    assert in_themes(page, settle, lambda: page.evaluate(axe)["violations"]) == {"light": [], "dark": []}
