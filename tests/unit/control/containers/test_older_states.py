"""A state that an older version exported is taken in, also what `create` refuses today."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qrealm.base.clock import ManualClock
from qrealm.base.errors import NoSuchContainerError, RequestError
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config, NodeEntry
from qrealm.control.containers.values import Phase
from qrealm.fleet.containers.protocol import Endpoint, HealthCheck, Port

STATE = Path(__file__).with_name("older_state.json")


@pytest.fixture
def engine(tmp_path):
    entry = NodeEntry("zz", Endpoint("simulated", "simulated://zz"))
    clock = ManualClock(1_800_000_000.0)  # later than the document
    with ContainerEngine(Config(nodes=(entry,)), tmp_path / "home", clock) as found:
        yield found


@pytest.fixture
def document(tmp_path):
    found = json.loads(STATE.read_text())
    for node in found["nodes"]:
        node["endpoint"]["folder"] = str(tmp_path / node["name"])
    return found


def container(document, name):
    return next(each for each in document["containers"] if each["name"] == name)


def test_it_is_taken_whole_and_can_be_worked_with(engine, document):
    found = engine.snapshots.import_(document)
    assert (found["containers"], found["messages"], found["problems"]) == (15, 1, [])
    now = json.loads(json.dumps(engine.snapshots.export()))
    assert {each["phase"] for each in now["containers"]} == {Phase.READY}
    for part in ("relations", "registers", "identities", "messages"):
        assert now[part] == document[part]
    # A field that is newer than the document has what it stands for when nothing is said.
    assert container(document, "full")["spec"].items() <= container(now, "full")["spec"].items()
    assert engine.messages.read("second")[0].data == {"x": 1}
    engine.lifecycle.run("second", force=True)
    engine.balancing.rebalance()
    engine.lifecycle.remove("many")
    with pytest.raises(NoSuchContainerError):
        engine.views.inspect("many")


def test_what_stood_for_nothing_is_nothing_now(engine, document):
    engine.snapshots.import_(document)
    specs = {view.record.name: view.record.spec for view in engine.views.containers()}
    words = specs["words"]
    assert (words.user, words.working_dir, words.network, words.hostname) == (None, None, None, None)
    assert specs["times"].health == HealthCheck(("true",), interval_s=30.0, timeout_s=30.0)
    assert specs["times"].ports == (Port(80), Port(53, 9053, "udp", "fe80::1%eth0"))
    assert specs["shared"].network == "container:db"
    assert [each.target for each in specs["twice"].mounts] == ["/d/", "/d", "/c"]
    assert specs["many"].limits.pids == 10_000_000


@pytest.mark.parametrize("driver", ["docker", "podman", "swarm"])
def test_a_node_whose_certificates_are_not_here_is_taken_in_and_told(engine, document, tmp_path, driver):
    files = {f"tls_{kind}": str(tmp_path / f"{kind}.pem") for kind in ("ca", "cert", "key")}
    member = "one" if driver == "swarm" else None
    node = document["nodes"][0] | {"engine": "docker 20.10", "simulated": False}
    document["nodes"][0] = node
    node["endpoint"] = {"driver": driver, "url": "tcp://127.0.0.1:1", "member": member, **files}
    found = engine.snapshots.import_(document)
    assert found["containers"] == 15
    (problem,) = found["problems"]
    assert problem.startswith(f"node {node['name']}: ")
    assert f"tls ca: there is no file '{files['tls_ca']}'" in problem


CHANGES = {
    "a line break": ({"network": "a\nb"}, "the network of 'plain' wrong: 'a\\nb' must be text in one line"),
    "a user": ({"user": "a\x1b[31m"}, "the user of 'plain' wrong: 'a\\x1b[31m' must be text in one line"),
    "a source": (
        {"mounts": [{"source": "a\nb", "target": "/x"}]},
        "the volumes of 'plain' wrong: 'a\\nb' must be text in one line",
    ),
    "a port": ({"ports": [{"container_port": 80, "host_port": 70_000}]}, "the port 70000 is not between 1"),
    "no time": ({"health": {"command": ["true"], "interval_s": "nan"}}, "its interval must be from 1 ms"),
    "a label": ({"labels": {"io.qrealm.engine": "x"}}, "'io.qrealm.engine' is qrealm's own"),
    "processes": (
        {"limits": {"cpus": 1.0, "memory_bytes": 1 << 26, "pids": 1 << 63}},
        "a limit of 9,223,372,036,854,775,808 processes",
    ),
}


@pytest.mark.parametrize(("change", "told"), CHANGES.values(), ids=CHANGES)
def test_what_no_engine_can_be_told_is_still_refused_and_a_way_out_is_named(engine, document, change, told):
    container(document, "plain")["spec"] |= change
    with pytest.raises(RequestError) as caught:
        engine.snapshots.import_(document)
    assert told in caught.value.message
    assert "create that container anew where it comes from" in caught.value.hint
    assert engine.views.containers() == ()


@pytest.mark.parametrize("value", [1e13, 1e-101, -1.0, "inf", "nan"])
def test_a_weight_that_no_scheduler_takes(engine, document, value):
    container(document, "plain")["quantum"]["weight"] = value
    with pytest.raises(RequestError, match=r"quantum_weight=.*must be 0, or from 1e-100 to 1e.12"):
        engine.snapshots.import_(document)
