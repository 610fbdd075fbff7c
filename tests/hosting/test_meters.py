"""Figures and logs: they add up, Streamlit shows them with its own, and nothing in them is about a visitor."""
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zz_view import hosting
from zz_view.hosting import logs, meters, settings
from zz_view.hosting.meters import BOUNDS, HELP, Meters


@given(st.lists(st.floats(0, 300), min_size=1, max_size=30))
def test_the_buckets_hold_each_observation_once(seconds):
    found = Meters()
    for each in seconds:
        found.observe("zigzag_rerun_seconds", each, page="overview")
    [stat] = found.get_stats()["zigzag_rerun_seconds"]
    assert stat.observation_count == len(seconds) and stat.observation_sum == pytest.approx(sum(seconds))
    assert [count for _, count in stat.buckets] == [sum(each <= bound for each in seconds)
                                                    for bound, _ in stat.buckets]
    assert [bound for bound, _ in stat.buckets][:-1] == list(BOUNDS)


def test_streamlits_own_page_of_figures_can_show_them():
    from streamlit.runtime.stats import StatsManager
    found, manager = Meters(), StatsManager()
    manager.register_provider(found)
    found.count("zigzag_script_errors", kind="ValueError")
    found.gauge("zigzag_cache_bytes", lambda: 12.0, cache="runs")
    found.observe("zigzag_simulation_seconds", 0.2)
    shown = {name: "\n".join(stat.to_metric_str() for stat in stats) for name, stats in manager.get_stats().items()}
    assert shown["zigzag_script_errors"] == 'zigzag_script_errors_total{kind="ValueError"} 1'
    assert shown["zigzag_cache_bytes"] == 'zigzag_cache_bytes{cache="runs"} 12'
    assert 'zigzag_simulation_seconds_bucket{le="0.25"} 1' in shown["zigzag_simulation_seconds"]
    assert list(found.get_stats(["zigzag_cache_bytes"])) == ["zigzag_cache_bytes"] and set(shown) <= set(HELP)


def test_a_block_is_timed_however_it_ends_and_may_say_what_it_was(monkeypatch):
    found = Meters()
    monkeypatch.setattr(meters, "METERS", found)
    with pytest.raises(KeyError), meters.timed("zigzag_rerun_seconds", page="none") as labels:
        labels["page"] = "sweep"
        raise KeyError
    assert found.get_stats()["zigzag_rerun_seconds"][0].labels == {"page": "sweep"}


def lines(record: logging.LogRecord) -> dict:
    return json.loads(logs.JsonLines().format(record))


def record(name: str, message: str, *args, **extra) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, __file__, 1, message, args, extra.pop("exc_info", None))
    vars(made).update(extra)
    return made


def test_a_line_of_the_log_is_json_without_what_a_visitor_sent():
    found = lines(record("streamlit", "Rejecting: origin=%s, host=%s", "https://a-name.example", "10.1.2.3"))
    assert found["event"] == "Rejecting: origin=%s, host=%s" and found["level"] == "warning"
    found = lines(record("zigzag", "slow", page="sweep", seconds=3.2, session="secret"))
    assert found["page"] == "sweep" and found["seconds"] == 3.2 and "secret" not in json.dumps(found)
    try:
        int("what the visitor typed")
    except ValueError:
        found = lines(record("streamlit", "failed", exc_info=sys.exc_info()))
    assert found["error"] == "ValueError" and "typed" not in json.dumps(found)
    assert found["at"][0].startswith("test_meters.py:")


def test_a_page_that_fails_is_counted_and_said_in_a_sentence(monkeypatch):
    from streamlit.testing.v1 import AppTest
    found = Meters()
    monkeypatch.setattr(meters.METERS, "count", None, raising=False)
    monkeypatch.setattr(meters, "count", found.count)

    def a_page():
        from zz_view import hosting
        hosting.failed(ZeroDivisionError("/secret/path"))

    at = AppTest.from_function(a_page).run()
    assert "its own" in at.error[0].value and "secret" not in at.error[0].value and not at.exception
    assert found.get_stats()["zigzag_script_errors"][0].labels == {"kind": "ZeroDivisionError"}


@pytest.mark.parametrize("name, value", [("ZIGZAG_HEAVY_PLACES", "0"), ("ZIGZAG_HEAVY_PLACES", "two"),
                                         ("ZIGZAG_HEAVY_QUEUE", "-1"), ("ZIGZAG_UPLOADS_MIB", "3"),
                                         ("ZIGZAG_LOG", "xml")])
def test_a_setting_that_makes_no_sense_stops_the_start_with_a_sentence(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name}={value}: must be"):
        hosting.options()


def test_a_whole_number_and_its_default(monkeypatch):
    monkeypatch.delenv("ZIGZAG_HEAVY_PLACES", raising=False)
    assert settings.whole("ZIGZAG_HEAVY_PLACES", 3) == 3
    monkeypatch.setenv("ZIGZAG_HEAVY_PLACES", " 4 ")
    assert settings.whole("ZIGZAG_HEAVY_PLACES", 3) == 4
