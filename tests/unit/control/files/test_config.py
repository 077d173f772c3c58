"""The daemon's configuration file."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from engines.certificates import Authority
from qrealm.base.errors import ConfigError, RequestError
from qrealm.control.containers.files import Config, NodeEntry, load_config
from qrealm.control.containers.placement.schedulers import (
    BySolver,
    register_scheduler,
    unregister_scheduler,
)
from qrealm.fleet.containers.protocol import Endpoint

EXAMPLES = Path(__file__).parents[4] / "examples" / "qdocker"


def loaded(folder, text):
    path = folder / "config.yaml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return load_config(path)


def refusal(folder, text):
    with pytest.raises(ConfigError) as told:
        loaded(folder, text)
    assert told.value.file == str(folder / "config.yaml")
    return told.value


def test_defaults_are_those_of_the_documentation():
    config = load_config()
    assert config == Config()
    assert (config.num_qubits, config.simulation_backend, config.max_containers) == (16, "qrealm", 50)
    assert config.enable_quantum_networking
    assert config.enable_quantum_scheduling
    assert config.enable_quantum_load_balancing
    assert (config.decoherence_time_ms, config.relaxation_time_ms) == (1000.0, 10_000.0)
    assert (config.cpu_overcommit, config.node_lost_after_s, config.move_cost) == (4.0, 3.0, 0.1)
    assert (config.seed, config.default_scheduler, config.nodes) == (None, "portfolio", ())


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "quantum_docker_config:\n", "quantum_docker_config: {}\nnodes: []"]
)
def test_empty_files_are_the_defaults(tmp_path, text):
    assert loaded(tmp_path, text) == Config()


def test_every_key(tmp_path):
    authority = Authority(tmp_path)
    ca, (cert, key) = authority.path, authority.issue("client")
    config = loaded(
        tmp_path,
        f"""
        quantum_docker_config:
          num_qubits: 8
          simulation_backend: cirq
          max_containers: 5
          enable_quantum_networking: false
          enable_quantum_scheduling: false
          enable_quantum_load_balancing: false
          decoherence_time_ms: 20
          relaxation_time_ms: 30.5
          cpu_overcommit: 1
          node_lost_after_s: 0.5
          move_cost: 0
          seed: 7
          scheduler: exact
        nodes:
          - name: a
            driver: simulated
            folder: /var/lib/a
            labels: {{zone: "1"}}
            cpus: 2
            memory: 1024
          - {{name: b, url: "tcp://h:2376", tls: {{ca: {ca}, cert: {cert}, key: {key}}}}}
          - {{name: c, driver: swarm, member: host-3, labels: [x=1, y]}}
        """,
    )
    assert config == Config(
        8, "cirq", 5, False, False, False, 20.0, 30.5, 1.0, 0.5, 0.0, 7, "exact",
        (
            NodeEntry("a", Endpoint("simulated", folder="/var/lib/a"), {"zone": "1"}, 2.0, 1024 << 20),
            NodeEntry("b", Endpoint("docker", "tcp://h:2376", None, ca, cert, key)),
            NodeEntry("c", Endpoint("swarm", member="host-3"), {"x": "1", "y": ""}),
        ),
    )  # fmt: skip
    assert isinstance(config.decoherence_time_ms, float)


def test_relaxation_follows_decoherence():
    assert Config(decoherence_time_ms=50.0).relaxation_time_ms == 500.0
    assert Config(decoherence_time_ms=50.0, relaxation_time_ms=60.0).relaxation_time_ms == 60.0


def test_who_schedules():
    assert Config(enable_quantum_scheduling=False).default_scheduler == "greedy"
    assert Config(enable_quantum_scheduling=False, scheduler="exact").default_scheduler == "exact"


def test_the_example_shows_the_defaults():
    config = load_config(EXAMPLES / "config.yaml")
    assert [node.name for node in config.nodes] == ["here"]
    assert config.nodes[0].memory_bytes == 8 << 30
    assert config == Config(nodes=config.nodes)


def test_what_the_example_has_behind_signs_is_right(tmp_path):
    text = (EXAMPLES / "config.yaml").read_text(encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text(text.replace("\n#  ", "\n  "))
    config = load_config(path, certificates=False)
    assert [node.name for node in config.nodes] == ["here", "rack-2", "rack-3", "pods", "hall-1"]
    assert config.nodes[1].endpoint.tls_ca == str(Path("~/.docker/ca.pem").expanduser())
    assert (config.nodes[4].endpoint.driver, config.nodes[4].endpoint.member) == ("swarm", "hall-1")
    assert config.scheduler == "portfolio"


def test_the_simulated_example():
    config = load_config(EXAMPLES / "simulated.yaml")
    assert {node.endpoint.driver for node in config.nodes} == {"simulated"}
    assert len(config.nodes) == 3
    assert config.seed == 7


@pytest.mark.parametrize(
    "line, words",
    [
        ("num_qbits: 3", "quantum_docker_config.num_qbits: unknown key; did you mean 'num_qubits'?"),
        ("num_qubits: '3'", "num_qubits: must be a whole number; it is the text '3'"),
        ("num_qubits: 3.0", "num_qubits: must be a whole number; it is 3.0"),
        ("num_qubits: true", "num_qubits: must be a whole number; it is true"),
        ("num_qubits:", "num_qubits: must be a whole number; it is empty"),
        ("num_qubits: 0", "num_qubits: must be 1 or more; it is 0"),
        ("num_qubits: 32", "num_qubits: must be 31 or less; it is 32"),
        ("decoherence_time_ms: .inf", "decoherence_time_ms: must be a finite number; it is inf"),
        ("decoherence_time_ms: .nan", "decoherence_time_ms: must be a finite number; it is nan"),
        ("decoherence_time_ms: 0", "decoherence_time_ms: must be greater than 0; it is 0"),
        ("decoherence_time_ms: [1]", "decoherence_time_ms: must be a number; it is a list of 1"),
        ("enable_quantum_networking: yes", "must be true or false; it is the text 'yes'"),
        ("enable_quantum_networking: 1", "must be true or false; it is 1"),
        (
            "simulation_backend: qiskt",
            "must be 'qrealm', 'cirq' or 'qiskit'; it is 'qiskt'; did you mean 'qiskit'?",
        ),
        (
            "relaxation_time_ms: 900",
            "relaxation_time_ms: must be decoherence_time_ms (1000) or more; it is 900",
        ),
        ("cpu_overcommit: 0.5", "cpu_overcommit: must be 1 or more; it is 0.5"),
        ("seed: -1", "seed: must be 0 or more; it is -1"),
        ("scheduler: ''", "scheduler: must not be empty"),
        ("scheduler: greedi", "scheduler: there is no scheduler 'greedi': portfolio, greedy, "),
        ("scheduler: greedi", "; did you mean 'greedy'?"),
        ("scheduler: cp_sat", "scheduler: cp_sat counts in whole numbers and cannot weigh how evenly"),
    ],
)
def test_wrong_keys_are_named_with_line(tmp_path, line, words):
    error = refusal(tmp_path, f"quantum_docker_config:\n  # a comment\n  {line}\n")
    assert error.line == 3
    assert error.key == f"quantum_docker_config.{line.partition(':')[0]}"
    assert words in error.message
    assert error.message.startswith(f"{tmp_path}/config.yaml:3: ")
    assert "\n" not in error.message


@pytest.mark.parametrize(
    "node, key, words",
    [
        ("{driver: docker}", "name", "is missing"),
        ("{name: a b}", "name", "'a b' must be letters, digits"),
        (
            "{name: a, driver: doker}",
            "driver",
            "no driver 'doker': docker, podman, swarm, simulated; did you mean",
        ),
        ("{name: a, tls: {ca: /c}}", "tls.cert", "is missing"),
        ("{name: a, tls: {ca: c, cert: /c, key: /c}}", "tls.ca", "'c' must be a whole path"),
        (
            "{name: a, tls: {ca: /c, cert: /c, key: /c}}",
            "tls",
            "only a tcp:// url can have it; the url is ''",
        ),
        ("{name: a, url: 'htp://x'}", "url", "'htp://x' is no url of an engine: it must begin with unix://"),
        ("{name: a, driver: podman, url: 'tcp://x'}", "url", "it names no port; write unix:///path"),
        ("{name: a, cpus: 0}", "cpus", "must be greater than 0"),
        ("{name: a, memory: 1g}", "memory", "must be a number; it is the text '1g'"),
        ("{name: a, labels: [1]}", "labels", "has the entry 1; each must be NAME=value"),
        ("[a]", "", "must be a mapping of keys and values; it is a list of 1"),
    ],
)
def test_wrong_nodes(tmp_path, node, key, words):
    error = refusal(tmp_path, f"nodes:\n  - {node}\n")
    assert error.line == 2
    assert error.key == "nodes[0]" + (f".{key}" if key else "")
    assert words in error.message


def test_names_of_nodes_are_taken_once(tmp_path):
    error = refusal(tmp_path, "nodes:\n  - {name: a}\n  - {name: b}\n  - {name: a}\n")
    assert (error.line, error.key) == (4, "nodes[2].name")
    assert "another node is called 'a'" in error.message


def test_all_problems_are_told_by_line(tmp_path):
    error = refusal(tmp_path, "nodes: 1\nquantum_docker_config:\n  seed: x\n  num_qubits: 0\nlog: 1\n")
    lines = error.message.splitlines()
    assert [line.removeprefix(f"{tmp_path}/config.yaml:")[0] for line in lines] == ["1", "3", "4", "5"]
    assert (error.line, error.key) == (1, "nodes")
    assert "log: unknown key; there are nodes, quantum_docker_config" in lines[3]


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)
    (tmp_path / "bad.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="no UTF-8 text: byte 3"):
        load_config(tmp_path / "bad.yaml")
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfquantum_docker_config: {seed: 1}")
    assert load_config(tmp_path / "bom.yaml").seed == 1


@pytest.mark.parametrize("key", ["decoherence_time_ms", "relaxation_time_ms"])
def test_times_without_end_are_refused_in_words(tmp_path, key):
    """1e308 came to an infinite T1, and no message could be sent."""
    path = tmp_path / "long.yaml"
    path.write_text(f"quantum_docker_config:\n  {key}: 1.0e+308\n")
    with pytest.raises(ConfigError, match="1e\\+308 is over 1e\\+15 milliseconds"):
        load_config(path)
    path.write_text("quantum_docker_config:\n  decoherence_time_ms: 1.0e+15\n")
    assert load_config(path).relaxation_time_ms == 1e16


@pytest.mark.parametrize(
    "chosen, words",
    [
        ({"num_qubits": "x"}, "num_qubits: must be a whole number; it is the text 'x'"),
        ({"num_qubits": 32}, "num_qubits: must be 31 or less; it is 32"),
        ({"decoherence_time_ms": -1}, "decoherence_time_ms: must be greater than 0; it is -1"),
        ({"decoherence_time_ms": "1"}, "decoherence_time_ms: must be a number; it is the text '1'"),
        ({"max_containers": -1}, "max_containers: must be 1 or more; it is -1"),
        ({"enable_quantum_networking": 1}, "enable_quantum_networking: must be true or false; it is 1"),
        ({"simulation_backend": "Cirq"}, "simulation_backend: must be 'qrealm', 'cirq' or 'qiskit'"),
        ({"relaxation_time_ms": 10.0}, "relaxation_time_ms: must be decoherence_time_ms (1000) or more"),
        ({"relaxation_time_ms": False}, "relaxation_time_ms: must be a number; it is false"),
        ({"nodes": 3}, "nodes: must be a tuple of NodeEntry; it is 3"),
        ({"nodes": "east"}, "nodes: must be a tuple of NodeEntry; it is 'east'"),
        ({"nodes": ("east",)}, "nodes[0]: must be a NodeEntry; it is 'east'"),
        (
            {"nodes": 2 * (NodeEntry("east", Endpoint("docker")),)},
            "nodes[1].name: another node is called 'east'",
        ),
    ],
)
def test_what_a_program_chooses_is_checked_as_the_file_is(chosen, words):
    with pytest.raises(ConfigError, match=re.escape(words)):
        Config(**chosen)


def test_what_is_no_path_and_no_endpoint_is_told_with_the_rule():
    with pytest.raises(
        RequestError, match="load_config got 3 as path; the rule is text, or a PathLike, or None"
    ):
        load_config(3)
    with pytest.raises(RequestError, match="NodeEntry got 'docker' as endpoint; the rule is an Endpoint"):
        NodeEntry("east", "docker")


def test_all_that_is_wrong_with_a_choice_is_told():
    with pytest.raises(ConfigError, match=r"num_qubits(.|\n)*seed"):
        Config(num_qubits=0, seed=-1)


def test_a_scheduler_of_the_copy_that_is_kept_may_be_gone(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("quantum_docker_config: {scheduler: gone}\n")
    assert load_config(file, schedulers=False).scheduler == "gone"
    with pytest.raises(ConfigError, match="there is no scheduler 'gone'"):
        load_config(file)


def test_a_scheduler_that_cannot_balance_is_taken_where_it_need_not(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("quantum_docker_config: {scheduler: cp_sat, enable_quantum_load_balancing: false}\n")
    assert load_config(file).scheduler == "cp_sat"


def test_a_scheduler_of_this_process_can_be_named(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("quantum_docker_config: {scheduler: mine}\n")
    register_scheduler(BySolver("mine", "for this test"))
    try:
        assert load_config(file).scheduler == "mine"
    finally:
        unregister_scheduler("mine")
