"""Docker's way to write a container down, there and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from qrealm.fleet.containers.docker_form import container_body, facts_of, facts_of_row, seconds_of
from qrealm.fleet.containers.podman import check_is_due
from qrealm.fleet.containers.protocol import (
    ContainerSpec,
    ContainerState,
    HealthCheck,
    Limits,
    Mount,
    Port,
    Restart,
)
from qrealm.fleet.containers.swarm_form import endpoint_spec, facts_of_service, task_template

SPEC = ContainerSpec(
    "web",
    "nginx:1.27",
    ("-g", "daemon off;"),
    ("nginx",),
    {"A": "1"},
    {"a": "b"},
    Limits(1.5, 64 << 20, 77),
    Restart("on-failure", 3),
    HealthCheck(("true",), 2.5, 1.0, 4, 0.5),
    (Mount("/srv", "/a", read_only=True), Mount("kept", "/b")),
    (Port(80, 8080, "tcp", "127.0.0.1"), Port(53, None, "udp")),
    "front",
    "1:2",
    "/x",
    True,
    ("NET_BIND_SERVICE",),
    stop_grace_s=2.5,
    init=True,
)


def test_every_wish_is_in_the_body():
    body = container_body(SPEC)
    host = body.pop("HostConfig")
    assert body == {
        "Image": "nginx:1.27",
        "Cmd": ["-g", "daemon off;"],
        "Entrypoint": ["nginx"],
        "Env": ["A=1"],
        "Labels": {"a": "b"},
        "User": "1:2",
        "WorkingDir": "/x",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Healthcheck": {
            "Test": ["CMD", "true"],
            "Interval": 2_500_000_000,
            "Timeout": 1_000_000_000,
            "Retries": 4,
            "StartPeriod": 500_000_000,
        },
        "StopTimeout": 3,
    }
    assert host == {
        "NanoCpus": 1_500_000_000,
        "Memory": 64 << 20,
        "MemorySwap": 64 << 20,
        "PidsLimit": 77,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "CapDrop": ["ALL"],
        "CapAdd": ["NET_BIND_SERVICE"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        "Init": True,
        "Mounts": [
            {"Type": "bind", "Source": "/srv", "Target": "/a", "ReadOnly": True},
            {"Type": "volume", "Source": "kept", "Target": "/b", "ReadOnly": False},
        ],
        "PortBindings": {
            "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
            "53/udp": [{"HostIp": "", "HostPort": ""}],
        },
        "NetworkMode": "front",
    }


def test_what_is_not_wished_is_not_said():
    body = container_body(ContainerSpec("web", "nginx"))
    assert not {"Cmd", "Entrypoint", "User", "WorkingDir", "Healthcheck"} & set(body)
    assert "NetworkMode" not in body["HostConfig"]
    assert body["HostConfig"]["CapDrop"] == ["ALL"]


def told(status, **state):
    return {
        "Id": "ab",
        "Name": "/web",
        "Config": {"Image": "nginx", "Labels": None},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": ""}]}},
        "NetworkSettings": {"Ports": {}},
        "State": {"Status": status, **state},
    }


@pytest.mark.parametrize(
    "name, state",
    [
        ("created", ContainerState.CREATED),
        ("configured", ContainerState.CREATED),
        ("running", ContainerState.RUNNING),
        ("exited", ContainerState.EXITED),
        ("stopped", ContainerState.EXITED),
        ("dead", ContainerState.DEAD),
    ],
)
def test_states(name, state):
    facts = facts_of(told(name, ExitCode=3, OOMKilled=True))
    assert facts.state is state
    assert facts.exit_code == (3 if state in (ContainerState.EXITED, ContainerState.DEAD) else None)
    assert facts.out_of_memory
    assert facts.ports == (Port(80),)


def test_the_end_is_not_before_the_beginning():
    moments = {"StartedAt": "2026-11-21T17:00:00.000002Z", "FinishedAt": "2026-11-21T17:00:00.000001Z"}
    facts = facts_of(told("exited", ExitCode=0, **moments))
    assert facts.started_at == facts.finished_at


@pytest.mark.parametrize(
    "moment, seconds",
    [
        (None, None),
        ("", None),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:01.123456789Z", 1.123456),
        ("1970-01-01T02:00:01.25+02:00", 1.25),
    ],
)
def test_moments(moment, seconds):
    assert seconds_of(moment) == seconds


def podman_told(ended, interval=10, status="running"):
    log = [{"End": datetime.fromtimestamp(moment, UTC).isoformat()} for moment in ended]
    check = {"Test": ["CMD", "true"], "Interval": interval * 10**9}
    return {
        "Config": {"Healthcheck": check},
        "State": {"Status": status, "StartedAt": "1970-01-01T00:16:40Z", "Health": {"Log": log}},
    }


@pytest.mark.parametrize(
    "ended, now, due",
    [((), 1014.0, False), ((), 1016.0, True), ((1010.0,), 1016.0, False), ((1010.0, 1020.0), 1036.0, True)],
)
def test_podmans_check_is_due(ended, now, due):
    assert check_is_due(podman_told(ended), now) is due
    assert not check_is_due(podman_told(ended, status="exited"), now)


def test_a_service_has_the_same_wishes():
    template = task_template(SPEC, "node.hostname==n1")
    container = template["ContainerSpec"]
    assert (container["Command"], container["Args"]) == (["nginx"], ["-g", "daemon off;"])
    assert container["CapabilityDrop"] == ["ALL"]
    assert (container["StopGracePeriod"], container["Init"]) == (2_500_000_000, True)
    assert container["CapabilityAdd"] == ["CAP_NET_BIND_SERVICE"]
    assert container["Privileges"] == {"NoNewPrivileges": True}
    assert container["ReadOnly"] is True
    limits = {"NanoCPUs": 1_500_000_000, "MemoryBytes": 64 << 20, "Pids": 77}
    assert template["Resources"]["Limits"] == limits
    assert template["RestartPolicy"]["MaxAttempts"] == 3
    assert template["Placement"] == {"Constraints": ["node.hostname==n1"]}
    assert template["Networks"] == [{"Target": "front", "Aliases": ["web"]}]
    ports = endpoint_spec(SPEC)["Ports"]
    assert ports[0]["PublishedPort"] == 8080
    assert "PublishedPort" not in ports[1]
    assert {port["PublishMode"] for port in ports} == {"host"}


def service(replicas, started):
    template = task_template(SPEC, "node.hostname==n1") | {"ForceUpdate": started}
    mode = {"Replicated": {"Replicas": replicas}}
    spec = {"Name": "web", "Labels": {"a": "b"}, "TaskTemplate": template, "Mode": mode}
    return {"ID": "s1", "Spec": spec}


def task(state, made="2026-01-01T00:00:00Z", **status):
    return {"CreatedAt": made, "Status": {"State": state, "Timestamp": made, **status}}


@pytest.mark.parametrize(
    "replicas, started, tasks, state",
    [
        (0, 0, [], ContainerState.CREATED),
        (1, 1, [task("preparing")], ContainerState.CREATED),
        (1, 1, [task("running")], ContainerState.RUNNING),
        (1, 1, [task("failed", ContainerStatus={"ExitCode": 7})], ContainerState.EXITED),
        (1, 1, [task("failed"), task("ready", "2026-01-02T00:00:00Z")], ContainerState.RESTARTING),
        (1, 2, [task("failed"), task("running", "2026-01-02T00:00:00Z")], ContainerState.RUNNING),
        (0, 1, [task("running", ContainerStatus={"ExitCode": 0})], ContainerState.EXITED),
        (0, 1, [], ContainerState.EXITED),
        (1, 1, [task("failed", Message="starting", Err="starting container failed")], ContainerState.CREATED),
        (1, 1, [task("failed", Message="starting", Err="task: unhealthy")], ContainerState.EXITED),
        (1, 1, [task("rejected", Message="preparing")], ContainerState.CREATED),
        (1, 1, [task("failed"), task("rejected", "2026-01-02T00:00:00Z")], ContainerState.EXITED),
    ],
)
def test_states_of_a_service(replicas, started, tasks, state):
    facts = facts_of_service(service(replicas, started), tasks)
    assert facts.state is state
    assert (facts.name, facts.engine_id, facts.labels) == ("web", "s1", {"a": "b"})
    # What still ends is told with 0 by the swarm.
    told = 7 if tasks and tasks[-1]["Status"].get("ContainerStatus") == {"ExitCode": 7} else None
    assert (facts.exit_code, facts.exit_told) == (told, "7" if told else "unknown")
    # The manager does not see what a container keeps on its member; what is stopped keeps nothing.
    assert (facts.volumes, facts.volumes_known) == ((), not replicas)


@pytest.mark.parametrize(
    ("state", "words", "exit_code", "health"),
    [
        ("created", "Created", None, None),
        ("running", "Up 3 seconds", None, None),
        ("running", "Up 2 hours (healthy)", None, "healthy"),
        ("running", "Up 2 hours (unhealthy)", None, "unhealthy"),
        ("running", "Up 1 second (health: starting)", None, "starting"),
        ("exited", "Exited (0) 5 minutes ago", 0, None),
        ("exited", "Exited (137) About a minute ago", 137, None),
        ("restarting", "Restarting (1) 2 seconds ago", 1, None),
        ("paused", "Up 5 minutes (Paused)", None, None),
        ("removing", "Removal In Progress", None, None),
    ],
)
def test_a_row_of_the_list(state, words, exit_code, health):
    row = {"Id": "f" * 64, "Names": ["/web"], "Image": "img:1", "Labels": {"a": "b"}}
    facts = facts_of_row({**row, "State": state, "Status": words})
    assert (facts.engine_id, facts.name, facts.image) == ("f" * 64, "web", "img:1")
    assert facts.labels == {"a": "b"}
    assert (facts.state, facts.exit_code, facts.health) == (state, exit_code, health)
