"""Every part of an imported state is held against the rules of who makes it, and told with its place."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.control.containers.homes import Home

from qrealm.base.errors import NameTakenError, RequestError
from qrealm.control.containers.values import NodeState
from qrealm.control.store.register_codec import from_bytes, to_bytes
from qrealm.simulate.sparse_density import SparseDensity


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A document with two nodes, six containers, two relations, a message and decisions."""
    with Home(tmp_path_factory.mktemp("exporter")) as home:
        for name in ("one", "two", "three"):
            home.create(name, node="na", probability=0.3)
            home.clock.advance(1.0)
        home.create("four", node="nb", states=("a", "b", "c"))
        home.clock.advance(1.0)
        home.create("five", node="nb", probability=0.0)
        home.create("six", node="nb", probability=1.0)
        home.engine.circuits.entangle("one", "two", "same")
        home.clock.advance(1.0)
        home.engine.circuits.entangle("one", "three", "opposite")
        home.engine.messages.send("one", "two", "note", {"x": 1})
        home.engine.circuits.measure("four")
        return json.loads(json.dumps(home.engine.snapshots.export()))


@pytest.fixture
def document(exported, tmp_path):
    """The same for a home of another folder."""
    found = copy.deepcopy(exported)
    for node in found["nodes"]:
        node["endpoint"]["folder"] = str(tmp_path / "nodes")
    return found


@pytest.fixture
def other(tmp_path):
    """A home that has none of it."""
    with Home(tmp_path, nodes=("zz",)) as found:
        yield found


def container(document, name):
    return next(each for each in document["containers"] if each["name"] == name)


def refusal(home, document):
    with pytest.raises(RequestError) as caught:
        home.engine.snapshots.import_(document)
    assert home.store.containers.all() == ()
    assert {node.name for node in home.store.nodes.all()} == {"zz"}
    assert home.store.messages.all() == ()
    problem = caught.value
    assert "QR1" not in str(problem)
    assert "rule:" not in str(problem)
    assert problem.hint
    return problem.message


def test_what_is_whole_is_taken(document, other):
    found = other.engine.snapshots.import_(document)
    assert (found["containers"], found["problems"]) == (6, [])
    assert other.store.check() == ()
    again = json.loads(json.dumps(other.engine.snapshots.export()))
    for part in ("relations", "registers", "identities", "messages"):
        assert again[part] == document[part]


NODE = {
    "the name ''": ({"name": ""}, "nodes[0]: '' is no name of a node"),
    "the name x/y": ({"name": "x/y"}, "nodes[0]: 'x/y' is no name of a node"),
    "cpus nan": ({"cpus": "nan"}, "nodes[0] (na): its cpus are nan"),
    "cpus inf": ({"cpus": "inf"}, "nodes[0] (na): its cpus are inf"),
    "cpus -1": ({"cpus": -1}, "nodes[0] (na): its cpus are -1"),
    "cpus 0": ({"cpus": 0}, "nodes[0] (na): its cpus are 0"),
    "memory -1": ({"memory_bytes": -1}, "nodes[0] (na): its memory_bytes are -1"),
    "memory 0": ({"memory_bytes": 0}, "nodes[0] (na): its memory_bytes are 0"),
    "simulated": ({"simulated": True}, "nodes[0] (na): simulated is True, and its driver is docker"),
    "no label": ({"labels": {"": "x"}}, "nodes[0] (na): one of its labels has no name"),
    "seen_at": ({"seen_at": "nan"}, "nodes[0] (na): seen_at nan is no time"),
    "added_at": ({"added_at": -1}, "nodes[0] (na): added_at -1 is no time"),
}
ENDPOINT = {
    "driver": ({"driver": "zonk"}, "nodes[0] (na): endpoint.driver: there is no driver 'zonk'"),
    "simulated": ({"url": "simulated://na?cpu=4"}, "nodes[0] (na): 'simulated://na?cpu=4' is no url"),
    "swarm": ({"driver": "swarm"}, "nodes[0] (na): endpoint.member: a node of the driver swarm is"),
    "member": ({"member": "x"}, "nodes[0] (na): endpoint.member: only a node of the driver swarm has it"),
    "tls": ({"tls_ca": "/ca.pem"}, "nodes[0] (na): endpoint.tls: only a tcp:// url can have it"),
    "key": (
        {"url": "tcp://h:1", "tls_key": "/key.pem"},
        "nodes[0] (na): endpoint.tls: a cert needs a key, and a key a cert",
    ),
}


@pytest.mark.parametrize(("change", "told"), NODE.values(), ids=NODE)
def test_a_node(document, other, change, told):
    document["nodes"][0] |= change
    assert told in refusal(other, document)


@pytest.mark.parametrize(("change", "told"), ENDPOINT.values(), ids=ENDPOINT)
def test_an_endpoint(document, other, change, told):
    document["nodes"][0]["endpoint"] |= change
    assert told in refusal(other, document)


def test_no_connection_is_kept_to_nodes_that_were_not_taken_in(document, other):
    document["nodes"][1]["endpoint"]["url"] = "simulated://nb?cpu=4"
    assert "nodes[1] (nb): 'simulated://nb?cpu=4' is no url" in refusal(other, document)
    kept = {endpoint for endpoint, *_ in other.engine._ctx.drivers._drivers}
    assert kept <= {other.endpoints["zz"]}


@pytest.mark.parametrize("url", ["foo://bar", "tcp://127.0.0.1:99999", "ssh://-oX@h", "unix://"])
def test_an_engine_that_nobody_can_speak_to(document, tmp_path, url):
    from qrealm.control.containers.driver_pool import DriverPool
    from qrealm.control.containers.engine import ContainerEngine
    from qrealm.control.containers.files import Config, NodeEntry
    from qrealm.fleet.containers.protocol import Endpoint

    document["nodes"][0]["endpoint"] |= {"url": url}
    entry = NodeEntry("zz", Endpoint("simulated", "simulated://zz"))
    with (
        ContainerEngine(Config(nodes=(entry,)), tmp_path / "real", drivers=DriverPool()) as engine,
        pytest.raises(RequestError, match=r"that cannot be: nodes\[0\] \(na\): .* is no url of an engine"),
    ):
        engine.snapshots.import_(document)


def test_two_nodes_that_are_one(document, other):
    document["nodes"].append(copy.deepcopy(document["nodes"][0]))
    assert "nodes[2] (na): nodes[0] has the same name" in refusal(other, document)
    document["nodes"][2]["name"] = "nc"
    assert "nodes[2] (nc): nodes[0] (na) is the same engine" in refusal(other, document)


def test_a_node_that_is_here_by_another_name(document, other):
    document["nodes"][0]["endpoint"] = {
        "driver": "docker",
        "url": other.endpoints["zz"].url,
        "folder": other.endpoints["zz"].folder,
    }
    with pytest.raises(NameTakenError, match="a node 'na'; node 'zz' here is that engine"):
        other.engine.snapshots.import_(document)
    assert other.store.containers.all() == ()


def test_a_node_that_has_never_answered_is_asked_when_it_does(document, other, tmp_path):
    other.faults.away.add("late")
    late = copy.deepcopy(document["nodes"][0]) | {"name": "late", "engine": "?", "cpus": 0, "memory_bytes": 0}
    late |= {"state": "lost"}
    late["endpoint"]["url"] = "simulated://late?cpus=2&memory_mib=512"
    document["nodes"].append(late)
    assert other.engine.snapshots.import_(document)["problems"] == []
    assert other.store.nodes.get("late").state is NodeState.LOST
    other.come_back("late")
    now = other.store.nodes.get("late")
    assert (now.state, now.cpus) == (NodeState.READY, 2.0)


RECORD = {
    "id": ({"id": "xyz"}, "its id 'xyz' has not 64 hexadecimal digits"),
    "created_at inf": ({"created_at": "inf"}, "created_at inf is no time"),
    "created_at nan": ({"created_at": "nan"}, "created_at nan is no time"),
    "created_at 1e300": ({"created_at": 1e300}, "created_at 1e+300 is no time"),
    "created_at -1": ({"created_at": -1}, "created_at -1 is no time"),
    "created_at in the year 10000": ({"created_at": 253402300800}, "created_at 2.53402e+11 is no time"),
    "measured.at": ({"measured": {"state": "a", "at": "nan"}}, "measured.at nan is no time"),
    "measured": ({"measured": {"state": "a\x1b[31m", "at": 1.0}}, "measured 'a\\x1b[31m', which is none"),
    "undeclared": ({"measured": {"state": "undeclared:2", "at": 1.0}}, "measured 'undeclared:2', which is"),
    "undeclared, too many": ({"measured": {"state": "undeclared:4", "at": 1.0}}, "'undeclared:4', which"),
    "data_node": ({"data_node": "nowhere"}, "its data_node is 'nowhere', which is not among the nodes"),
    "no node": ({"node": None}, "its phase is 'ready', and it has no node"),
    "waiting": ({"phase": "waiting"}, "its phase is 'waiting', and it has the node 'nb'"),
    "another node": ({"node": "nowhere"}, "it is on node 'nowhere', which is not among the nodes"),
    "engine_id": ({"engine_id": "../x"}, "its engine_id '../x' is none that an engine gives"),
    "no engine_id": ({"engine_id": None}, "its phase is 'ready', and it has no engine_id"),
    "scheduler": ({"scheduler": "a b"}, "its scheduler 'a b' is no name"),
    "restarts": ({"restarts": -5}, "its restarts are -5; the least is 0"),
    "cluster": ({"cluster": "../a b\n"}, "the cluster '../a b\\n'"),
}


@pytest.mark.parametrize(("change", "told"), RECORD.values(), ids=RECORD)
def test_a_record(document, other, change, told):
    container(document, "four").update(change)
    place = document["containers"].index(container(document, "four"))
    message = refusal(other, document)
    assert f"that cannot be: containers[{place}] (four): " in message
    assert told in message


def test_what_an_engine_writes_down_itself_is_taken(document, other):
    container(document, "four").update(
        measured={"state": "undeclared:3", "at": 0.0}, data_node="nb", scheduler="mine", restarts=2
    )
    container(document, "four")["created_at"] = 253402300799
    container(document, "two")["created_at"] = 0
    container(document, "three").update(phase="waiting", node=None, engine_id=None, data_node="gone")
    assert other.engine.snapshots.import_(document)["problems"] == []


@pytest.mark.parametrize(
    ("name", "value"), [("interval_s", "nan"), ("timeout_s", "inf"), ("start_period_s", "-inf")]
)
def test_a_specification_that_no_engine_can_be_told(document, other, name, value):
    container(document, "four")["spec"]["health"] = {"command": ["true"], name: value}
    assert "(four): " in refusal(other, document)


def test_two_containers_of_one_name_or_id(document, other):
    document["containers"].append(copy.deepcopy(document["containers"][0]))
    assert "containers[6] (one): containers[0] has the same id" in refusal(other, document)
    document["containers"][6]["id"] = "ab" * 32
    assert "containers[6] (one): containers[0] has the same name" in refusal(other, document)


READING = {
    "no messages": (lambda d: d.pop("messages"), "cannot be read: messages is not there"),
    "another part": (lambda d: d.update(zonk=1), "cannot be read: 'zonk' is no part of a state"),
    "mode": (
        lambda d: d["relations"][0].update(mode="x"),
        "cannot be read: relations[0].mode must be one of 'same', 'opposite', 'spread'; it is 'x'",
    ),
    "no list": (lambda d: d.update(relations={}), "cannot be read: relations must be a list; it is {}"),
    "no object": (lambda d: d["nodes"].insert(1, 5), "cannot be read: nodes[1] must be an object; it is 5"),
    "no name": (lambda d: d["nodes"][1].pop("name"), "cannot be read: nodes[1] lacks the field 'name'"),
    "states": (
        lambda d: d["containers"][1]["quantum"].update(states="ab"),
        "cannot be read: containers[1].quantum.states must be a list; it is 'ab'",
    ),
    "a number without end": (
        lambda d: d["containers"][1].update(created_at=10**400),
        "cannot be read: containers[1].created_at must be a number that a computer can hold; it has more",
    ),
    "identities": (lambda d: d.update(identities=[]), "cannot be read: identities must be an object"),
    "a register as a number": (
        lambda d: d["registers"].insert(0, 5),
        "cannot be read: registers[0] must be text in Base64; it is 5",
    ),
    "a register": (
        lambda d: d["registers"].insert(1, "?"),
        "cannot be read: registers[1] must be text in Base64",
    ),
    "a register of another kind": (
        lambda d: d["registers"].insert(1, "AAAA"),
        "cannot be read: registers[1] begins with b'\\x00\\x00\\x00'",
    ),
    "engine_id": (lambda d: d.update(engine_id=[1]), "cannot be read: engine_id must be text; it is [1]"),
    "engine_id of words": (lambda d: d.update(engine_id="x"), "engine_id: 'x' has not 16 hexadecimal"),
    "exported_at": (lambda d: d.update(exported_at="nan"), "exported_at: nan is no time"),
    "version true": (lambda d: d.update(version=True), "got version True of an exported state"),
    "version 1.0": (lambda d: d.update(version=1.0), "got version 1.0 of an exported state"),
    "version 2": (lambda d: d.update(version=2), "got version 2 of an exported state"),
    "decision": (lambda d: d["decisions"][0].update(at="inf"), "decisions[0].at: inf is no time"),
    "seconds": (lambda d: d["decisions"][0].update(seconds=-1), "decisions[0]: its seconds are -1"),
    "a decision about no name": (
        lambda d: d["decisions"][0].update(container="\x1b[31m"),
        "decisions[0]: '\\x1b[31m' is no name of a container",
    ),
    "sender": (
        lambda d: d["messages"][0].update(sender="\x1b[31m"),
        "messages[0]: its sender '\\x1b[31m' is no name of a container",
    ),
    "key_bits": (
        lambda d: d["messages"][0].update(key_bits=-1),
        "its key_bits are -1",
    ),
    "sent_at": (lambda d: d["messages"][0].update(sent_at="nan"), "messages[0]: sent_at nan is no time"),
    "read_at": (lambda d: d["messages"][0].update(read_at=1e300), "messages[0]: read_at 1e+300 is no time"),
    "type": (lambda d: d["messages"][0].update(type="\x1b"), "messages[0]: a message of type '\\x1b'"),
    "receiver": (
        lambda d: d["messages"][0].update(receiver="x"),
        "messages[0]: its receiver 'x' is no container here",
    ),
    "error_rate": (lambda d: d["messages"][0].update(error_rate=2), "messages[0]: its error_rate is 2"),
    "message id": (lambda d: d["messages"][0].update(id="x"), "messages[0]: its id 'x' has not 32"),
    "a message twice": (
        lambda d: d["messages"].append(d["messages"][0]),
        "messages[1]: messages[0] has the same id",
    ),
    "identity": (
        lambda d: d["identities"].update({d["containers"][0]["id"]: "AAAA"}),
        "3 bytes are not an identity",
    ),
    "identity of nobody": (
        lambda d: d["identities"].update({"x": next(iter(d["identities"].values()))}),
        "identities['x']: it is of no container",
    ),
    "identity as a number": (
        lambda d: d["identities"].update({"x": 5}),
        "cannot be read: identities['x'] must be text in Base64; it is 5",
    ),
}


@pytest.mark.parametrize(("change", "told"), READING.values(), ids=READING)
def test_a_document(document, other, change, told):
    change(document)
    assert told in refusal(other, document)


def test_a_message_that_is_here_already(document, other):
    other.engine.snapshots.import_(document)
    held = other.store.messages.all()
    for name in ("one", "two", "three", "four", "five", "six"):
        other.engine.lifecycle.remove(name, force=True)
    for message in held:
        other.store.messages.save(message)
    with pytest.raises(RequestError, match=r"messages\[0\]: a message with its id \w{32} is here already"):
        other.engine.snapshots.import_(document)
    assert other.store.containers.all() == ()
    other.store.messages.delete_to("two")


# Relations.


def tie(document, first, second, mode="same", **also):
    ids = [container(document, name)["id"] for name in (first, second)]
    return {"first": ids[0], "second": ids[1], "mode": mode, "declared_at": 1.0, "spent": True} | also


RELATIONS = {
    "the other way round": ("two", "one", "one follows two, which follows it through others"),
    "a second leader": ("three", "two", "two follows a container already, by relations[0]"),
    "again": ("one", "two", "two follows a container already, by relations[0]"),
}


@pytest.mark.parametrize(("first", "second", "told"), RELATIONS.values(), ids=RELATIONS)
@pytest.mark.parametrize("mode", ["same", "opposite", "spread"])
@pytest.mark.parametrize("spent", [True, False])
def test_relations_that_make_no_tree(document, other, first, second, told, mode, spent):
    document["relations"].append(tie(document, first, second, mode, spent=spent))
    assert f"relations[2]: {told}" in refusal(other, document)


def test_a_circle_of_three(document, other):
    document["relations"] = [
        tie(document, "one", "two"),
        tie(document, "two", "three"),
        tie(document, "three", "one"),
    ]
    assert "relations[2]: one follows three, which follows it through others" in refusal(other, document)


RELATION = {
    "shift": ({"shift": 1}, "relations[0]: the shift 1, and its mode is 'same'; only spread shifts"),
    "declared_at": ({"declared_at": "nan"}, "relations[0].declared_at: nan is no time"),
    "first": ({"first": "x"}, "relations[0].first: 'x' is no container here"),
    "second": ({"second": "x"}, "relations[0].second: 'x' is no container here"),
}


@pytest.mark.parametrize(("change", "told"), RELATION.values(), ids=RELATION)
def test_a_relation(document, other, change, told):
    document["relations"][0] |= change
    assert told in refusal(other, document)


def test_a_relation_in_force_of_two_that_share_no_register(document, other):
    document["relations"].append(tie(document, "three", "five", spent=False))
    told = "relations[2]: three and five share no register, and it is not spent"
    assert told in refusal(other, document)
    document["relations"][2]["spent"] = True
    assert other.engine.snapshots.import_(document)["problems"] == []


# Registers.


def decoded(text):
    return from_bytes(base64.b64decode(text))


def encoded(register):
    return base64.b64encode(to_bytes(register)).decode()


def changed(document, count, **changes):
    """The register with so many members, changed; its number."""
    for number, register in enumerate(map(decoded, document["registers"])):
        if len(register.members) == count:
            document["registers"][number] = encoded(replace(register, **changes))
            return number
    raise AssertionError


def of_entries(entries, num_qubits=3):
    places = sorted(entries)
    rows, cols = (np.array([place[side] for place in places], dtype=np.uint32) for side in (0, 1))
    return SparseDensity(num_qubits, rows, cols, np.array([entries[place] for place in places], complex))


HALF = {(0, 0): 0.5, (3, 3): 0.5}
DENSITIES = {
    "not Hermitian": ({**HALF, (0, 3): 0.5, (3, 0): 0.4}, "its matrix is not Hermitian"),
    "one of two": ({**HALF, (0, 3): 0.5}, "its matrix is not Hermitian"),
    "not conjugate": ({**HALF, (0, 3): 0.5j, (3, 0): 0.5j}, "its matrix is not Hermitian"),
    "too large": ({**HALF, (0, 3): 5.0, (3, 0): 5.0}, "an entry beside its diagonal is larger"),
    "without probability": ({**HALF, (0, 5): 0.1, (5, 0): 0.1}, "an entry beside its diagonal is larger"),
    "imaginary": ({(0, 0): 0.5 + 0.5j, (3, 3): 0.5 - 0.5j}, "a probability of it is not from 0 to 1"),
    "negative": ({(0, 0): 1.5, (3, 3): -0.5}, "a probability of it is not from 0 to 1"),
    "over 1": ({(0, 0): 2.0, (1, 1): -1e-9, (3, 3): -1.0}, "a probability of it is not from 0 to 1"),
    "not positive": (
        {(r, c): (1 / 3 if r == c else -0.3) for r in range(3) for c in range(3)},
        "its matrix is not positive",
    ),
}


@pytest.mark.parametrize(("entries", "told"), DENSITIES.values(), ids=DENSITIES)
def test_a_state_of_no_qubits(document, other, entries, told):
    number = changed(document, 3, density=of_entries(entries))
    assert f"that cannot be: registers[{number}]: {told}" in refusal(other, document)


@pytest.mark.parametrize(
    "entries",
    [
        {(0, 0): 1.0},
        {(0, 0): 0.5, (3, 3): 0.5, (0, 3): 0.5j, (3, 0): -0.5j},
        {(0, 0): 0.5 + 1e-12j, (3, 3): 0.5, (5, 5): -1e-15, (0, 5): 1e-9},
        {(r, c): 1 / 8 for r in range(8) for c in range(8)},
    ],
)
def test_a_state_of_qubits(document, other, entries):
    changed(document, 3, density=of_entries(entries))
    assert other.engine.snapshots.import_(document)["problems"] == []


REGISTER = {
    "long ago": ({"time": -1e300}, ".time: -1e+300 is no time"),
    "ahead": ({"time": 1_700_000_000.0 + 1e6}, ".time: it is 1,000,000 s ahead of the clock"),
    "prepared": ({"prepared_at": 1_700_000_000.0 + 1e6}, ".prepared_at: it is 1,000,000 s ahead"),
}


@pytest.mark.parametrize(("change", "told"), REGISTER.values(), ids=REGISTER)
def test_times_of_a_register(document, other, change, told):
    number = changed(document, 3, **change)
    assert f"that cannot be: registers[{number}]{told}" in refusal(other, document)


def test_a_clock_that_is_less_than_a_day_ahead(document, other):
    ahead = other.clock.now() + 86_000.0
    changed(document, 3, time=ahead, prepared_at=ahead)
    assert other.engine.snapshots.import_(document)["problems"] == []
    assert other.engine.lifecycle.run("one").name == "one"


@pytest.mark.parametrize(
    ("probability", "told"),
    [
        (0.9, "it has one with the probability 0.9; the container declares 0.3"),
        (1.0000001, "the probability 1 of a member; it must be from 0 to 1"),
        (7.0, "the probability 7 of a member; it must be from 0 to 1"),
        (-0.1, "the probability -0.1 of a member; it must be from 0 to 1"),
    ],
)
def test_a_member_that_its_container_does_not_declare(document, other, probability, told):
    members = next(r.members for r in map(decoded, document["registers"]) if len(r.members) == 3)
    number = changed(document, 3, members=(replace(members[0], probability=probability), *members[1:]))
    assert f"registers[{number}]: {told}" in refusal(other, document)


def test_a_member_twice(document, other):
    members = next(r.members for r in map(decoded, document["registers"]) if len(r.members) == 3)
    number = changed(document, 3, members=(members[0], members[0], members[2]))
    assert f"registers[{number}]: a container is a member of it twice" in refusal(other, document)


def test_members_that_do_not_fit(document, other):
    whole = copy.deepcopy(document)
    document["containers"].pop()
    assert "no container here" in refusal(other, document)
    gone = whole["registers"].pop(0)
    assert "is a member of no register" in refusal(other, whole)
    whole["registers"] += [gone, gone]
    assert "registers[4]: container " in (message := refusal(other, whole))
    assert "is a member of registers[3], too" in message
