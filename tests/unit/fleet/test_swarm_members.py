"""Members of a swarm: which is meant, what it keeps and takes, what its services are called."""

from __future__ import annotations

import pytest

from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, NameTakenError, NodeDownError
from qrealm.fleet.containers.swarm_form import LABEL_NAME, SERVICE_NAME_LENGTH_MAX
from qrealm.fleet.containers.swarm_members import find_member, service_name


def node(number, host="", state="ready", availability="active", message=""):
    return {
        "ID": f"{number}" * 25,
        "Description": {"Hostname": host or f"h{number}"},
        "Status": {"State": state, "Message": message},
        "Spec": {"Availability": availability},
    }


def service(name, constraint, label=None):
    return {
        "Spec": {
            "Name": name,
            "Labels": {} if label is None else {LABEL_NAME: label},
            "TaskTemplate": {"Placement": {"Constraints": [constraint]}},
        }
    }


def test_a_member_is_found_by_its_host_or_its_id():
    nodes = [node(1), node(2)]
    assert find_member(nodes, "h2", "x").constraint == "node.hostname==h2"
    assert find_member(nodes, "1" * 25, "x").constraint == f"node.id=={'1' * 25}"
    with pytest.raises(EngineRefusalError, match="no node 'h3'") as missing:
        find_member(nodes, "h3", "x")
    assert "h1, h2" in missing.value.hint


def test_two_members_of_one_host_name_are_told_apart_by_id():
    nodes = [node(1, "same"), node(2, "same")]
    with pytest.raises(EngineRefusalError, match="2 nodes") as caught:
        find_member(nodes, "same", "x")
    assert "1" * 25 in caught.value.hint
    first = find_member(nodes, "1" * 25, "x")
    assert first.owns(service("a", f"node.id=={'1' * 25}"))
    assert not first.owns(service("a", "node.hostname==same")), "it may be the other's"
    assert find_member([node(1), node(2)], "h1", "x").owns(service("a", f"node.id=={'1' * 25}"))


@pytest.mark.parametrize(
    "told, keeps, takes",
    [
        (node(1), None, None),
        (node(1, state="down", message="heartbeat failure"), NodeDownError, NodeDownError),
        (node(1, state="disconnected"), NodeDownError, NodeDownError),
        (
            node(1, state="down", message='heartbeat failure for node in "unknown" state'),
            EngineUnavailableError,
            EngineUnavailableError,
        ),
        (node(1, state="unknown"), None, EngineRefusalError),
        (node(1, availability="drain"), NodeDownError, NodeDownError),
        (node(1, availability="pause"), None, EngineRefusalError),
    ],
)
def test_what_a_member_keeps_and_takes(told, keeps, takes):
    member = find_member([told], "h1", "x")
    for check, expected in ((member.check_keeps, keeps), (member.check_takes, takes)):
        if expected is None:
            check("look")
            continue
        with pytest.raises(expected) as caught:
            check("look")
        assert type(caught.value) is expected
        assert caught.value.message.startswith("look: ")


def test_a_service_gets_its_containers_name_or_one_of_its_member():
    one = find_member([node(1), node(2)], "h1", "x")
    elsewhere = service("web", "node.hostname==h2", "web")
    assert service_name("web", one, [], "x") == "web"
    assert service_name("web", one, [elsewhere], "x") == "web-11111111"
    assert service_name("web", one, [service("web", "node.role==worker")], "x") == "web", "the swarm refuses"
    long = "a" * SERVICE_NAME_LENGTH_MAX
    moved = service_name(long, one, [service(long, "node.hostname==h2", long)], "x")
    assert len(moved) == SERVICE_NAME_LENGTH_MAX
    assert moved.endswith("a-11111111")


def test_a_member_has_a_name_once_whatever_its_service_is_called():
    one = find_member([node(1), node(2)], "h1", "x")
    with pytest.raises(NameTakenError, match="h1"):
        service_name("web", one, [service("web-11111111", "node.hostname==h1", "web")], "x")
