"""The player in a real Chromium: pictures a second while it plays, and steps a second at its highest speed.

    python -m benchmarks.playing    needs playwright and Chromium or Chrome

60 of each are wanted, 30 at the least with the largest run that the page offers. Times, not ratios: a screen shows
sixty pictures a second, however fast the machine is.
"""
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import ROOT, Server, launch

PAGES = {"overview": "", "trajectories": "trajectories", "trajectories, 5,000 steps": "trajectories?steps=5000",
         "trajectories, 100,000 steps": "trajectories?steps=100000&learning_rate=0.01"}
WATCHED = 3.0  # seconds
PLAY = f"""async speed => {{
    const boards = [...document.querySelectorAll('[data-testid="stBidiComponentIsolated"]')]
    const player = boards.map(each => each.shadowRoot.querySelector('.player')).find(each => each && !each.hidden)
    const range = player.querySelector('input[type=range]'), choice = player.querySelector('select')
    choice.value = [...choice.options].find(option => Number(option.value) === speed).value
    choice.dispatchEvent(new Event('change'))
    player.querySelector('[data-do=play]').click()
    let pictures = 0, steps = 0, last = Number(range.value)
    const start = performance.now()
    await new Promise(end => requestAnimationFrame(function look() {{
        pictures += 1
        const now = Number(range.value)
        if (now > last) steps += now - last
        last = now
        if (performance.now() - start < {1000 * WATCHED}) requestAnimationFrame(look); else end()
    }}))
    player.querySelector('[data-do=play]').click()
    return {{ pictures: pictures / {WATCHED}, steps: steps / {WATCHED}, last: Number(range.max) }}
}}"""


def played(page: Page, address: str, speed: int) -> dict[str, float]:
    page.goto(address)
    page.wait_for_function("() => document.querySelector('[data-testid=\"stApp\"]')?.dataset.testScriptState "
                           "=== 'notRunning' && document.querySelector('[data-testid=\"stMetric\"]')")
    page.wait_for_timeout(1500)
    return page.evaluate(PLAY, speed)


if __name__ == "__main__":
    with sync_playwright() as playwright, Server(ROOT / "dashboard.py") as server:
        browser = launch(playwright)
        for name, path in PAGES.items():
            visitor = browser.new_page(viewport={"width": 1440, "height": 900})
            visitor.set_default_timeout(60_000)
            usual, fast = (played(visitor, f"{server.url}/{path}", speed) for speed in (1, 4))
            visitor.close()
            print(f"{name.capitalize()}: {usual['pictures']:.0f} pictures a second, {fast['pictures']:.0f} at four "
                  f"times the speed with {fast['steps']:.0f} steps a second, of {fast['last']:.0f} positions")
