"""What programs write into a specification is checked where they write it."""

from __future__ import annotations

import re
import typing

import pytest

from qrealm.base.errors import RequestError
from qrealm.containers import (
    ContainerSpec,
    CreateRequest,
    Endpoint,
    HealthCheck,
    Limits,
    Mount,
    Port,
    QuantumSpec,
    Restart,
)
from qrealm.fleet.containers.protocol import Tmpfs


@pytest.mark.parametrize(
    "write, words",
    [
        (lambda: ContainerSpec(3, "img"), "ContainerSpec got 3 as name; the rule is text"),
        (lambda: ContainerSpec("web", None), "ContainerSpec got None as image; the rule is text"),
        (lambda: ContainerSpec("web", "img", labels=3), "3 as labels; the rule is a mapping of text to text"),
        (lambda: ContainerSpec("web", "img", labels={"a": 1}), "{'a': 1} as labels; the rule is a"),
        (
            lambda: ContainerSpec("web", "img", environment=["a"]),
            "['a'] as environment; the rule",
        ),
        (lambda: ContainerSpec("web", "img", limits=3), "3 as limits; the rule is a Limits"),
        (
            lambda: ContainerSpec("web", "img", ports=["80"]),
            "['80'] as ports; the rule is a tuple, each of it a ",
        ),
        (
            lambda: ContainerSpec("web", "img", command=(1,)),
            "(1,) as command; the rule is a tuple, each of it text",
        ),
        (lambda: ContainerSpec("web", "img", hostname=3), "3 as hostname; the rule is text, or None"),
        (lambda: ContainerSpec("web", "img", user=3), "3 as user; the rule is text, or None"),
        (lambda: ContainerSpec("web", "img", read_only=1), "1 as read_only; the rule is True or False"),
        (lambda: ContainerSpec("web", "img", health="true"), "the rule is a HealthCheck, or None"),
        (lambda: Limits(cpus="1"), "Limits got '1' as cpus; the rule is a number"),
        (lambda: Limits(cpus=True), "Limits got True as cpus; the rule is a number"),
        (lambda: Limits(memory_bytes=1e9), "1000000000.0 as memory_bytes; the rule is a whole number"),
        (lambda: Port("80"), "Port got '80' as container_port; the rule is a whole number"),
        (lambda: Port(80, protocol="sctp"), "'sctp' as protocol; the rule is one of 'tcp', 'udp'"),
        (lambda: Restart("never"), "the rule is one of 'no', 'always', 'unless-stopped', 'on-failure'"),
        (lambda: Mount("data", None), "Mount got None as target; the rule is text"),
        (lambda: Tmpfs(3), "Tmpfs got 3 as target; the rule is text"),
        (
            lambda: HealthCheck("true"),
            "HealthCheck got 'true' as command; the rule is a tuple, each of it text",
        ),
        (lambda: Endpoint(3), "Endpoint got 3 as driver; the rule is text"),
        (lambda: CreateRequest("web"), "CreateRequest got 'web' as spec; the rule is a ContainerSpec"),
        (
            lambda: CreateRequest(ContainerSpec("web", "img"), 3),
            "CreateRequest got 3 as quantum; the rule is a QuantumSpec",
        ),
        (lambda: CreateRequest(ContainerSpec("web", "img"), node=1), "1 as node; the rule is text, or None"),
    ],
)
def test_a_wrong_type_is_told_with_the_rule(write, words):
    with pytest.raises(RequestError, match=re.escape(words)):
        write()


def test_text_where_a_tuple_of_text_is_meant_has_a_hint():
    with pytest.raises(RequestError, match=r"'ls' as command") as problem:
        ContainerSpec("web", "img", command="ls")
    assert problem.value.hint == "write ('ls',)"
    with pytest.raises(RequestError, match=r"'80' as ports") as problem:
        ContainerSpec("web", "img", ports="80")
    assert problem.value.hint == ""


def test_lists_and_whole_numbers_do_where_tuples_and_numbers_are_declared():
    spec = ContainerSpec("web", "img", command=["ls"], ports=[Port(80)], limits=Limits(2))
    assert (spec.command, spec.ports, spec.limits.cpus) == (["ls"], [Port(80)], 2)
    assert CreateRequest(spec, QuantumSpec()).quantum == QuantumSpec()


def test_every_field_of_a_specification_has_a_rule():
    """A type that the check cannot read would let anything pass, or nothing."""
    for kind in (ContainerSpec, CreateRequest, Endpoint, HealthCheck, Limits, Mount, Port, Restart, Tmpfs):
        for name in typing.get_type_hints(kind):
            needed = {"name": "web", "image": "img", "source": "a", "target": "b", "container_port": 1}
            needed |= {"command": ("true",), "spec": ContainerSpec("web", "img"), "driver": "docker"}
            given = {key: needed[key] for key in typing.get_type_hints(kind) if key in needed}
            if kind is Restart:
                given = {}
            with pytest.raises(RequestError, match=f"{kind.__name__} got .* as {name}; the rule is"):
                kind(**{**given, name: object()})
