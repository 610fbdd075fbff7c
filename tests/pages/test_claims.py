"""The Claims page on its own, without a browser: every sentence with a verdict, from experiments run on the spot."""
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from zz_core.claims import CLAIMS
from zz_view import verdicts as shown

PAGE = Path(__file__).parents[2] / "pages" / "claims.py"
PAGES = {"", "trajectories", "gradient-signs", "batch-averaging", "geometry", "saturation", "deep-network"}


@pytest.fixture(scope="module")
def app() -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=120).run()
    assert not app.exception
    return app


def rows(app: AppTest) -> list[str]:
    return [block.value for block in app.markdown if "See the experiment" in block.value]


def test_every_claim_has_a_row_with_its_verdict_number_and_condition(app):
    found = shown.verdicts()
    assert len(rows(app)) == len(CLAIMS) >= 15
    for claim, text in zip(CLAIMS, rows(app), strict=True):
        verdict = found[claim.key]
        assert claim.sentence in text and verdict.condition in text and claim.unit in text
        assert shown.WORDS[verdict.verdict][0] in text
    counts = Counter(verdict.verdict for verdict in found.values())
    assert f"**{counts['holds']}** hold, **{counts['conditional']}** hold under" in app.markdown[0].value


@pytest.mark.parametrize("verdict", list(shown.WORDS))
def test_the_url_can_ask_for_one_kind_of_verdict(verdict):
    app = AppTest.from_file(PAGE, default_timeout=120)
    app.query_params["verdict"] = verdict
    app.run()
    wanted = [claim.sentence for claim in CLAIMS if shown.verdicts()[claim.key].verdict == verdict]
    assert [any(sentence in text for sentence in wanted) for text in rows(app)] == [True] * len(wanted)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
def test_the_link_opens_the_experiment_on_a_page_that_exists(claim):
    address = urlsplit(shown.address(claim))
    assert address.path.removeprefix("./") in PAGES
    experiment = claim.experiments[claim.shown]
    assert type(experiment).from_query(dict(parse_qsl(address.query))) == experiment


def test_the_table_to_take_away_has_a_row_a_claim():
    table = shown.table(shown.verdicts())
    assert list(table["claim"]) == [claim.key for claim in CLAIMS]
    assert set(table["verdict"]) <= set(shown.WORDS) and table["value"].notna().all()
