"""The security policy in a real browser. That every page works under it the other tests show: what it blocks is an
error in the console, and they allow none."""
import pytest

WATCH = """window.zzViolations = []
document.addEventListener('securitypolicyviolation', event =>
    window.zzViolations.push(`${event.effectiveDirective}: ${event.blockedURI}`))"""
# A sample of what the property test asks the server
HOSTILE = ["trajectories?steps=1e999&batch_size=-1&inputs=<script>alert(1)</script>", "no-such-page?x=1",
           "deep-network?net_layers=99999-99999&net_steps=1e9", "?embed=%27%3B&present=maybe&seed=%F0%9F%92%A9"]


@pytest.fixture
def strict(page):
    """A tab that notes what the policy blocks."""
    page.add_init_script(WATCH)
    return page


def test_a_script_that_someone_slips_in_does_not_run(strict, settle):
    answer = strict.goto("/glossary")
    settle(strict)
    assert answer.headers["x-content-type-options"] == "nosniff" and strict.evaluate("window.zzViolations") == []
    strict.evaluate("""() => {
        const script = document.createElement('script')
        script.textContent = 'window.zzSlippedIn = true'
        document.body.append(script)
        document.body.append(Object.assign(new Image(), {src: 'https://elsewhere.example/pixel.png'}))
    }""")
    strict.wait_for_function("() => window.zzViolations.length >= 2")
    assert strict.evaluate("window.zzSlippedIn") is None
    assert {each.split(":")[0] for each in strict.evaluate("window.zzViolations")} == {"script-src-elem", "img-src"}


@pytest.mark.parametrize("address", HOSTILE)
def test_hostile_links_show_a_page_with_sentences(strict, settle, address):
    dialogs = []
    strict.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    strict.goto(f"/{address}")
    settle(strict)
    text = strict.locator('[data-testid="stApp"]').inner_text()
    assert len(text) > 200 and "Traceback" not in text and strict.locator('[data-testid="stException"]').count() == 0
    assert dialogs == [] and strict.evaluate("window.zzViolations") == []
    assert [error for error in strict.zz_errors if error.startswith("page:")] == []
