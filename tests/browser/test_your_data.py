"""A file in a real browser: refused, mended with a click, diagnosed, taken away as a report, seen by nobody else."""
import json
from urllib.parse import parse_qs, urlsplit

import numpy as np

from tests.browser.conftest import downloaded


def table() -> dict:
    values = 1 / (1 + np.exp(-np.random.default_rng(0).standard_normal((60, 3))))
    rows = [f"{a:.6f},{b:.6f},{c:.6f},somewhere" for a, b, c in values]
    return {"name": "mine.csv", "mimeType": "text/csv", "buffer": "\n".join(["a,b,c,place", *rows]).encode()}


def test_a_file_is_mended_diagnosed_and_taken_away_and_seen_by_nobody_else(page, settle, browser, server, tmp_path):
    address = "/your-data?own_source=your+file&own_batch=8"
    page.goto(address)
    settle(page)
    page.locator("input[type=file]").set_input_files(table())
    page.get_by_role("button", name="Leave out").wait_for()
    settle(page)
    assert "'place'" in page.get_by_test_id("stAlert").inner_text() and not page.locator(".board canvas.base").count()
    page.get_by_role("button", name="Leave out this column").click()
    page.locator(".board canvas.base").first.wait_for()
    settle(page)
    assert "these inputs" in page.get_by_test_id("stMain").inner_text()
    assert set(parse_qs(urlsplit(page.url).query)) == {"own_source", "own_batch"}
    page.get_by_role("button", name="Report").click()
    files = dict(downloaded(page, label, tmp_path) for label in ("As HTML", "As JSON"))
    assert "Diagnosis of mine.csv" in files["zig-zag-diagnosis-mine.csv.html"]
    found = json.loads(files["zig-zag-diagnosis-mine.csv.json"])
    assert found["layers"]["mine"]["names"] == ["a", "b", "c"] and found["layers"]["mine"]["batch_size"] == 8
    assert page.zz_errors == []
    context = browser.new_context(base_url=server)
    other = context.new_page()
    other.goto(address)
    settle(other)
    assert "mine" not in other.get_by_test_id("stMain").inner_text().replace("Does it happen in mine?", "")
    context.close()
