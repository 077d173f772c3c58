"""What a container may be: each rule of a specification, at its edges and beyond them."""

from __future__ import annotations

import pytest

from qrealm.base.errors import RequestError
from qrealm.fleet.containers import rules
from qrealm.fleet.containers.docker_form import container_body
from qrealm.fleet.containers.protocol import (
    ContainerSpec,
    HealthCheck,
    Limits,
    Mount,
    Port,
    Restart,
    Tmpfs,
)
from qrealm.fleet.containers.rules import check_held, check_spec

NAN, INFINITE = float("nan"), float("inf")
TOO_LONG = 10**5000


def spec(**fields):
    return ContainerSpec(**{"name": "web", "image": "nginx:1"} | fields)


def health(**fields):
    return spec(health=HealthCheck(("true",), **fields))


@pytest.mark.parametrize(
    "good",
    [
        spec(),
        spec(name="a" * 128),
        spec(limits=Limits(0.01, 6 << 20, 1)),
        spec(limits=Limits(rules.CPUS_MAX, rules.MEMORY_MAX, rules.PIDS_MAX)),
        spec(stop_grace_s=0),
        spec(stop_grace_s=86_400),
        spec(ports=(Port(1, 65_535), Port(65_535, 1), Port(80), Port(80, 9, "udp", "::1"))),
        spec(ports=(Port(80, 1, host_ip="127.0.0.1"), Port(81, 1, host_ip="::1"))),
        spec(ports=(Port(80, 1), Port(81, 1)), network="host"),
        spec(mounts=(Mount("/x", "/a"), Mount("data_1.x-y", "/a/b")), tmpfs=(Tmpfs("/c", 1, 0o7777),)),
        spec(environment={"A.b-1": "any\nthing", "é": ""}, labels={"a b": "any\nthing", "x.y/z": ""}),
        spec(command=("", "a\nb"), entrypoint=()),
        health(interval_s=0.001, timeout_s=86_400, retries=1, start_period_s=0.0),
        health(retries=1_000_000, start_period_s=0.001),
        spec(restart=Restart("on-failure", 1_000_000)),
        spec(tmpfs=(Tmpfs("/c", rules.MEMORY_MAX, 0),)),
        spec(network="shop_default", network_made=True, aliases=("web", "w-1")),
        spec(
            hostname="x" * 63, user="1000:www-data", working_dir="/", cap_add=("ALL", "cap_net_raw", "Kill")
        ),
    ],
)
def test_what_can_be(good):
    check_spec(good)
    container_body(good)


@pytest.mark.parametrize(
    "held",
    [
        spec(limits=Limits(pids=rules.PIDS_HELD_MAX)),
        spec(ports=(Port(80, 81, "udp", "fe80::1%eth0"),)),
        spec(mounts=(Mount("my cache", "/a"), Mount("v", "/a/")), tmpfs=(Tmpfs("/a"),)),
        spec(environment={"a b": ""}, labels={"a=b": ""}),
        spec(network="container:db"),
        spec(network="pasta:-t,auto"),
        spec(hostname="my_host"),
        spec(user="my user", working_dir="srv", cap_add=("MADE_UP",)),
        spec(health=HealthCheck(("",))),
    ],
)
def test_what_a_record_may_have_and_nobody_is_given_any_more(held):
    check_held(held)
    container_body(held)
    with pytest.raises(RequestError, match="create got"):
        check_spec(held)


@pytest.mark.parametrize(
    "bad",
    [
        spec(name="a/b"),
        spec(image="--bad x"),
        spec(limits=Limits(pids=rules.PIDS_HELD_MAX + 1)),
        spec(limits=Limits(cpus=NAN)),
        spec(ports=(Port(80, 0),)),
        spec(ports=(Port(80, 1), Port(81, 1))),
        spec(ports=(Port(80, 1, "tcp", "a\nb"),)),
        spec(mounts=(Mount("", "/a"),)),
        spec(mounts=(Mount("a\0", "/a"),)),
        spec(mounts=(Mount("/a\0", "/a"),)),
        spec(mounts=(Mount("a", "rel"),)),
        spec(tmpfs=(Tmpfs("/a", 0),)),
        spec(environment={"a\n": ""}),
        spec(environment={"a": "\0"}),
        spec(labels={"io.qrealm.engine": "x"}),
        spec(labels={"a": "\ud800"}),
        spec(command=("\0",)),
        spec(health=HealthCheck(())),
        health(interval_s=NAN),
        spec(restart=Restart("always", 3)),
        spec(network=""),
        spec(network="host", network_made=True),
        spec(network="container:db", network_made=True),
        spec(hostname="a\nb"),
        spec(user="a\x1b"),
        spec(working_dir="/\0"),
        spec(cap_add=("",)),
    ],
)
def test_what_no_record_may_have(bad):
    with pytest.raises(RequestError, match=r"create got|no name of an image"):
        check_held(bad)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (spec(name="x"), "the name 'x': a name has two or more"),
        (spec(name="web\n"), "the name"),
        (spec(name="a" * 129), "the name"),
        (spec(image=""), "'' is no name of an image"),
        (spec(image="--bad x"), "'--bad x' is no name of an image"),
        (spec(limits=Limits(cpus=0.009)), r"cpu=0.009; it must be at least 0.01, and at most 1,000,000"),
        (spec(limits=Limits(cpus=1e300)), r"cpu=1e\+300"),
        (spec(limits=Limits(cpus=NAN)), "cpu=nan"),
        (spec(limits=Limits(cpus=TOO_LONG)), "cpu=more than can be written"),
        (spec(limits=Limits(memory_bytes=(6 << 20) - 1)), "of 6,291,455 bytes; engines need at least 6 MiB"),
        (spec(limits=Limits(memory_bytes=rules.MEMORY_MAX + 1)), "a memory limit of .*; the most is"),
        (spec(limits=Limits(pids=0)), "a limit of 0 processes; it must be from 1 to 4,194,304"),
        (
            spec(limits=Limits(pids=rules.PIDS_MAX + 1)),
            "a limit of 4,194,305 processes; it must be from 1",
        ),
        (spec(stop_grace_s=NAN), "a grace of nan s; it must be from 0 to 86,400"),
    ],
)
def test_what_cannot_be(bad, told):
    with pytest.raises(RequestError, match=told):
        check_spec(bad)


@pytest.mark.parametrize("size", [rules.MEMORY_MIN - 1, rules.MEMORY_MAX + 1])
def test_the_hint_fits_too_little_and_too_much_memory(size):
    with pytest.raises(RequestError) as caught:
        check_spec(spec(limits=Limits(memory_bytes=size)))
    assert "from 6 MiB to 1 EiB" in caught.value.hint
    assert (rules.MEMORY_MIN, rules.MEMORY_MAX) == (6 << 20, 1 << 60)


@pytest.mark.parametrize(
    ("part", "bad", "told"),
    [
        ("ports", spec(ports=(Port(0),)), "the port 0 is not between 1 and 65535"),
        ("ports", spec(ports=(Port(65_536),)), "the port 65536 is not"),
        ("ports", spec(ports=(Port(80, -3),)), "the port -3 is not"),
        ("ports", spec(ports=(Port(80, 0),)), "the port 0 is not"),
        ("ports", spec(ports=(Port(80, 99_999),)), "the port 99999 is not"),
        ("ports", spec(ports=(Port(80, TOO_LONG),)), "the port more than can be written is not"),
        ("ports", spec(ports=(Port(80, host_ip="zonk"),)), "'zonk' is no address of a host"),
        ("ports", spec(ports=(Port(80, host_ip="fe80::1%eth0"),)), "is no address of a host"),
        ("ports", spec(ports=(Port(80, 0),), network="none"), "the port 0 is not"),
        ("ports", spec(ports=(Port(80, 1), Port(81, 1))), "1:80 and 1:81 are one port of the host"),
        ("volumes", spec(mounts=(Mount("../x", "/a"),)), "'../x' is neither a folder"),
        ("volumes", spec(mounts=(Mount("", "/a"),)), "'' is neither a folder"),
        ("volumes", spec(mounts=(Mount("/x\0", "/a"),)), "has a NUL character"),
        ("volumes", spec(mounts=(Mount("x", "rel"),)), "'rel' is no folder inside"),
        ("volumes", spec(mounts=(Mount("x", "//"),)), "'//' is no folder inside"),
        ("volumes", spec(mounts=(Mount("x", "/a/.."),)), "'/a/..' is no folder inside"),
        ("volumes", spec(mounts=(Mount("x", "/a"), Mount("y", "/b/../a/"))), "another volume is at '/a'"),
        ("volumes", spec(mounts=(Mount("x", "/a"),), tmpfs=(Tmpfs("//a"),)), "another volume is at '/a'"),
        ("volumes", spec(tmpfs=(Tmpfs("/a"), Tmpfs("/a"))), "another volume is at '/a' already"),
        ("folders in memory", spec(tmpfs=(Tmpfs("/a", 0),)), "a size of 0 bytes; it must be from 1"),
        ("folders in memory", spec(tmpfs=(Tmpfs("/a", rules.MEMORY_MAX + 1),)), "bytes; it must be from 1"),
        ("folders in memory", spec(tmpfs=(Tmpfs("/a", None, -1),)), "the mode -1; it must be from 0 to 7777"),
        ("folders in memory", spec(tmpfs=(Tmpfs("/a", None, 0o10000),)), "the mode 10000"),
        ("environment", spec(environment={"a=b": "secret"}), "'a=b' is no name of a variable"),
        ("environment", spec(environment={"": "secret"}), "'' is no name of a variable"),
        ("environment", spec(environment={"a b": "secret"}), "'a b' is no name of a variable"),
        ("environment", spec(environment={"A": "secret\0"}), "the value of 'A' has a NUL character"),
        ("environment", spec(environment={"A": "secret\ud800"}), "the value of 'A' is no text in UTF-8"),
        ("labels", spec(labels={"io.qrealm.engine": "x"}), "'io.qrealm.engine' is qrealm's own"),
        ("labels", spec(labels={" ": "x"}), "' ' is no name of a label"),
        ("labels", spec(labels={"a\n": "x"}), "is no name of a label"),
        ("labels", spec(labels={"a=b": "x"}), "'a=b' is no name of a label"),
        ("labels", spec(labels={"a": "\0"}), "the value of 'a' has a NUL"),
        ("command", spec(command=("a\0",)), "has a NUL character"),
        ("command", spec(entrypoint=("a\0",)), "has a NUL character"),
        ("health check", spec(health=HealthCheck(())), "it has no command"),
        ("health check", spec(health=HealthCheck(("",))), "it has no command"),
        ("health check", spec(health=HealthCheck(("a\0",))), "has a NUL character"),
        ("health check", health(interval_s=NAN), "its interval must be from 1 ms to 86,400 s; it is nan s"),
        ("health check", health(interval_s=1e300), r"its interval must be .*; it is 1e\+300 s"),
        ("health check", health(interval_s=0.0), "its interval must be"),
        ("health check", health(timeout_s=INFINITE), "its timeout must be .*; it is inf s"),
        ("health check", health(timeout_s=-1.0), "its timeout must be"),
        ("health check", health(start_period_s=1e300), "its start period must be"),
        ("health check", health(start_period_s=0.0009), "its start period must be"),
        ("health check", health(retries=0), "its number of retries must be from 1 to 1,000,000; it is 0"),
        ("health check", health(retries=1_000_001), "its number of retries must be"),
        ("restart policy", spec(restart=Restart("always", 3)), "only on-failure takes a number"),
        ("restart policy", spec(restart=Restart("on-failure", -1)), "-1 retries; there may be from 0"),
        ("restart policy", spec(restart=Restart("on-failure", 1_000_001)), "1,000,001 retries; there may be"),
        ("network", spec(network=""), "'' must be letters"),
        ("network", spec(network="a b\n"), "must be letters"),
        ("network", spec(network="container:x"), "sharing the network of another container"),
        ("network", spec(network_made=True), "None cannot be made"),
        ("network", spec(network="a b", network_made=True), "'a b' must be letters"),
        ("network", spec(network="host", network_made=True), "'host' cannot be made"),
        ("network", spec(network="x", network_made=True, aliases=("a b",)), "'a b' must be letters"),
        ("hostname", spec(hostname="a b\n"), "must be letters, digits, '-' and '.', 63 at most"),
        ("hostname", spec(hostname="x" * 64), "must be letters"),
        ("hostname", spec(hostname=""), "must be letters"),
        ("user", spec(user=""), "'' is no user"),
        ("user", spec(user="a\nb"), "is no user"),
        ("working folder", spec(working_dir="srv"), "'srv' is no absolute path"),
        ("working folder", spec(working_dir="/\0"), "has a NUL character"),
        ("capabilities", spec(cap_add=("CHOWN", "NO_SUCH")), "'NO_SUCH' is no capability"),
    ],
)  # fmt: skip
def test_parts_that_cannot_be(part, bad, told):
    with pytest.raises(RequestError, match=f"create got the {part} of 'web' wrong: .*{told}") as caught:
        check_spec(bad)
    assert "secret" not in caught.value.message
