"""Times in words and as dates; a number that is no time is shown as "?", and breaks nothing off."""

from __future__ import annotations

import re

import pytest

from qrealm.faces.qdocker import showing
from qrealm.faces.qdocker.times import ago, iso, spoken, stamp, with_unit

NO_TIMES = [float("nan"), float("inf"), float("-inf"), 1e300, -1e300, 1e15, 10**400, "nan", "-inf"]


@pytest.mark.parametrize("at", NO_TIMES, ids=lambda at: f"{at!s:.10}")
def test_what_is_no_time(at):
    assert stamp(at) == "?"
    assert iso(at) == "?"


@pytest.mark.parametrize("at", [float("nan"), float("-inf"), float("inf"), "nan", "inf"])
def test_how_long_ago_no_time_was(at):
    assert ago(at) == "?"
    assert ago(0.0, now=at) == "?"
    assert spoken(float(at)) == "?"


@pytest.mark.parametrize("at", [0.0, 1.7e9, 1_700_000_000, 253_402_200_000.0])
def test_times(at):
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} \S+", stamp(at))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", iso(at))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(3600.0, "1 h"), (36_000.0, "10 h"), (1.0, "1 s"), (0.25, "250 ms"), (0.0001, "0.1 ms"),
     (90.0, "1.5 min"), (61.0, "61 s"), (86_400.0, "1 d"), (1234.567, "20.58 min"),
     (1e12, "1.157e+07 d"), (1e-9, "1e-06 ms")],
)  # fmt: skip
def test_durations_with_a_unit(seconds, told):
    assert with_unit(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.5, "Less than a second"), (1.0, "1 second"), (59.9, "59 seconds"), (90.0, "1 minute"),
     (3600.0, "1 hour"), (1e300, None)],
)  # fmt: skip
def test_durations(seconds, told):
    assert spoken(seconds) == told if told else spoken(seconds).endswith(" years")
    assert ago(1000.0, now=1000.0 + seconds).endswith(" ago")


@pytest.mark.parametrize("at", ["nan", "inf", float("nan")])
def test_a_node_that_answered_at_no_time(at):
    assert showing._seen(at, 0.0, exact=False) == "?"
    assert showing._seen(at, 0.0, exact=True) == "?"
