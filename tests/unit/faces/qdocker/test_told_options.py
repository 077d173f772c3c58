"""Options and filters that cannot be: told with what came, the rule and an example."""

from __future__ import annotations

import math

import pytest

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker.filters import EVENT_TYPES, NODE_DRIVERS, event_filter, node_filter
from qrealm.faces.qdocker.specification import read_angle, read_capability, read_limit, read_memory
from qrealm.fleet.containers import DRIVERS


@pytest.mark.parametrize(
    ("text", "angle"),
    [
        ("1.5", 1.5),
        ("-2", -2.0),
        ("1e-3", 1e-3),
        ("pi", math.pi),
        ("pi/2", math.pi / 2),
        ("-3*pi/4", -3 * math.pi / 4),
        ("2*(pi - 1)", 2 * (math.pi - 1)),
    ],
)
def test_angles(text, angle):
    assert read_angle(text) == pytest.approx(angle, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["pie", "", "nan", "-inf", "1e999", "1/0", "pi pi", "theta", "__import__('os')", "pi" * 1000]
)
def test_what_is_no_angle(text):
    with pytest.raises(RequestError, match="; the rule is a finite number of radians") as told:
        read_angle(text)
    assert "--angle pi/2" in told.value.hint
    assert len(told.value.message) < 200


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5", "--memory got '5': must be 6m or more; it is 5 MiB"),
        ("1k", "--memory got '1k': must be 6m or more; it is 1k"),
        ("x", "--memory got 'x', which is no amount of memory"),
    ],
)
def test_too_little_memory_is_told_as_it_was_written(text, told):
    with pytest.raises(RequestError, match=told) as problem:
        read_limit(text)
    assert "512m" in problem.value.hint


def test_a_node_may_share_less_memory_than_a_container_needs():
    assert read_limit("6") == read_memory("6") == 6 << 20
    assert read_memory("5") == 5 << 20


def test_capabilities():
    assert read_capability("net_admin") == "net_admin"
    assert read_capability("CAP_CHOWN") == "CAP_CHOWN"
    with pytest.raises(RequestError, match="--cap-add got 'FOO', which is no capability") as told:
        read_capability("FOO")
    assert told.value.hint == "for example --cap-add NET_ADMIN"


def event(**fields):
    return {"type": "node", "action": "add", "name": "na"} | fields


def test_events_are_filtered_by_types_that_there_are():
    keeps = event_filter(["type=node", "type=cluster", "event=add"])
    assert keeps(event())
    assert not keeps(event(type="container"))
    assert not keeps(event(action="drain"))
    assert event_filter(None)(event())
    # A name is compared, and no regular expression, as in `docker events`.
    assert event_filter(["name=["])(event(name="["))
    for each in EVENT_TYPES:
        assert event_filter([f"type={each}"])(event(type=each))
    with pytest.raises(RequestError, match="--filter got type='foo'; there are container, register"):
        event_filter(["type=foo"])


def test_drivers_of_nodes_are_those_that_there_are():
    assert set(NODE_DRIVERS) == set(DRIVERS)
    for driver in DRIVERS:
        node_filter([f"driver={driver}"])
    with pytest.raises(RequestError, match="--filter got driver='foo'; there are docker"):
        node_filter(["driver=foo"])
