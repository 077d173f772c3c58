"""Cluster files in qrealm's own form."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrealm.base.errors import ConfigError
from qrealm.control.containers.files import (
    ClusterContainer,
    ClusterFile,
    Entanglement,
    load_cluster,
)
from qrealm.control.containers.json_codec import from_json, to_json
from qrealm.control.containers.values import QuantumSpec
from qrealm.fleet.containers.protocol import ContainerSpec, HealthCheck, Limits, Mount, Port, Restart

EXAMPLES = Path(__file__).parents[4] / "examples" / "qdocker"


def loaded(text, **options):
    return load_cluster(textwrap.dedent(text), "/srv/shop/cluster.yaml", **options)


def refusal(text):
    with pytest.raises(ConfigError) as told:
        loaded(text)
    assert told.value.file == "/srv/shop/cluster.yaml"
    return told.value


def test_the_smallest_file():
    file = loaded("{name: shop, containers: [{name: web, image: 'nginx:1.27'}]}")
    spec = ContainerSpec("web", "nginx:1.27", network="shop_default", network_made=True)
    assert file == ClusterFile("shop", (ClusterContainer(spec, QuantumSpec()),))
    assert spec.limits == Limits(1.0, 512 << 20)


EVERY_KEY = """\
name: shop
containers:
  - name: web
    image: nginx:1.27
    quantum_weight: 2
    quantum_probability: 0.8
    superposition_states: [running, standby, stopped]
    resource_requirements: {cpu: 0.5, memory: 64, pids: 20}
    command: nginx -g 'daemon off;'
    entrypoint: [/init, "--", 7]
    environment: {A: 1, B: 1.5, C: "true", D: null, HOST: }
    ports: ["8080:80/tcp", 443, {target: 53, published: 5353, protocol: udp, host_ip: 127.0.0.1}]
    volumes:
      - data:/data
      - ./conf:/conf:ro
      - {type: bind, source: pages, target: /pages, read_only: true}
      - {type: volume, source: logs, target: /logs}
    restart: on-failure:3
    healthcheck: {test: curl -f localhost, interval: 1m, timeout: 5s, retries: 2, start_period: 10s}
    labels: [a=1, b]
    network: front
    user: 1000
    working_dir: /srv
    read_only: true
    cap_add: [NET_BIND_SERVICE]
    node: rack-2
  - name: api
    image: api
    superposition_states: [a, b, c]
    healthcheck: {test: [CMD, /check, "-q"]}
entangle:
  - between: [web, api]
    mode: spread
"""


def test_every_key():
    file = loaded(
        EVERY_KEY,
        environ={"HOST": "here"},
    )
    web, api = file.containers
    assert web == ClusterContainer(
        ContainerSpec(
            name="web",
            image="nginx:1.27",
            command=("nginx", "-g", "daemon off;"),
            entrypoint=("/init", "--", "7"),
            environment={"A": "1", "B": "1.5", "C": "true", "HOST": "here"},
            labels={"a": "1", "b": ""},
            limits=Limits(0.5, 64 << 20, 20),
            restart=Restart("on-failure", 3),
            health=HealthCheck(("/bin/sh", "-c", "curl -f localhost"), 60.0, 5.0, 2, 10.0),
            mounts=(
                Mount("data", "/data"),
                Mount("/srv/shop/conf", "/conf", True),
                Mount("/srv/shop/pages", "/pages", True),
                Mount("logs", "/logs"),
            ),
            ports=(Port(80, 8080), Port(443), Port(53, 5353, "udp", "127.0.0.1")),
            network="front",
            user="1000",
            working_dir="/srv",
            read_only=True,
            cap_add=("NET_BIND_SERVICE",),
        ),
        QuantumSpec(("running", "standby", "stopped"), 0.8, 2.0),
        "rack-2",
    )
    assert api.spec.health == HealthCheck(("/check", "-q"))
    assert file.entangled == (Entanglement(("web", "api"), "spread"),)
    assert from_json(ClusterFile, to_json(file)) == file


def test_dollar_signs_mean_nothing_here():
    file = loaded("{name: a, containers: [{name: web, image: c, command: ['echo $HOME ${X']}]}")
    assert file.containers[0].spec.command == ("echo $HOME ${X",)


@pytest.mark.parametrize(
    "memory, amount", [("64", 64 << 20), ("64.5", 129 << 19), ("128m", 128 << 20), ("1g", 1 << 30)]
)
def test_memory_is_in_mebibytes(memory, amount):
    file = loaded(
        f"{{name: a, containers: [{{name: web, image: c, resource_requirements: {{memory: {memory}}}}}]}}"
    )
    assert file.containers[0].spec.limits.memory_bytes == amount


def container_with(line):
    return f"name: shop\ncontainers:\n  - name: web\n    image: nginx\n    {line}\n"


@pytest.mark.parametrize(
    "line, key, words",
    [
        ("imag: x", "imag", "unknown key; did you mean 'image'?"),
        ("memory: 64", "memory", "unknown key"),
        ("quantum_weight: -1", "quantum_weight", "must be 0, or from 1e-09 to 1e+09"),
        ("quantum_weight: .inf", "quantum_weight", "must be a finite number"),
        ("quantum_probability: 1.01", "quantum_probability", "must be 1 or less; it is 1.01"),
        ("quantum_probability: '0.5'", "quantum_probability", "must be a number; it is the text '0.5'"),
        ("superposition_states: running,stopped", "superposition_states", "must be a list"),
        ("superposition_states: [on]", "superposition_states", "must have at least 2 entries"),
        ("superposition_states: [on, on]", "superposition_states", "the state 'on' stands twice"),
        ("superposition_states: ['undeclared:3', on]", "superposition_states[0]", "must be letters"),
        ("superposition_states: [true, off]", "superposition_states[0]", "must be text; it is true"),
        ("resource_requirements: {cpus: 1}", "resource_requirements.cpus", "did you mean 'cpu'?"),
        ("resource_requirements: {cpu: 0}", "resource_requirements.cpu", "must be 0.01 or more"),
        ("resource_requirements: {memory: '64'}", "resource_requirements.memory", "without quotes for MiB"),
        ("resource_requirements: {memory: 5}", "resource_requirements.memory", "must be 6 or more"),
        ("resource_requirements: {pids: 0}", "resource_requirements.pids", "must be 1 or more"),
        ("command: {a: b}", "command", "must be a list; it is a mapping"),
        ("command: echo 'a", "command", "cannot be cut into words"),
        ("environment: {A: true}", "environment.A", "must be text; it is true"),
        ("environment: ['=x']", "environment", "has the entry '=x'; each must be NAME=value"),
        ("environment: [A=1, A=2]", "environment", "has 'A' twice"),
        ("labels: {io.qrealm.engine: x}", "labels", "is qrealm's own"),
        ("ports: ['80:http']", "ports[0]", "'80:http' is no port"),
        ("ports: ['90:80', '127.0.0.1:90:81']", "ports[1]", "90:80 and 127.0.0.1:90:81 are one port of the"),
        ("ports: ['90-91:80-81', {target: 80, published: 91}]", "ports[1]", "91:81 and 91:80 are one port"),
        ("ports: [70000]", "ports[0]", "the port 70000 is not between 1 and 65535"),
        ("ports: [{target: 80, publish: 1}]", "ports[0].publish", "unknown key; did you mean 'published'?"),
        ("ports: [{published: 80}]", "ports[0].target", "is missing"),
        ("ports: [{target: 80, published: 80-82}]", "ports[0].published", "must be one port"),
        ("volumes: [data]", "volumes[0]", "has no source"),
        ("volumes: ['data:/a', 'b:/a']", "volumes[1]", "another volume is at '/a' already"),
        ("volumes: [{type: tmpfs, source: a, target: /x}]", "volumes[0].type", "must be 'volume' or 'bind'"),
        ("volumes: [{type: volume, source: /x, target: /x}]", "volumes[0]", "not the folder '/x'"),
        ("restart: never", "restart", "'never' is no restart policy"),
        ("restart: false", "restart", "must be text; it is false"),
        ("healthcheck: {interval: 5s}", "healthcheck.test", "is missing"),
        ("healthcheck: {test: [ls]}", "healthcheck.test", "a list that begins with CMD or CMD-SHELL"),
        ("healthcheck: {test: ls, interval: 5}", "healthcheck.interval", "such as 30s; it is 5"),
        ("healthcheck: {test: ls, timeout: 0s}", "healthcheck.timeout", "must be from 1 ms to 86,400 s"),
        ("healthcheck: {test: ls, disable: true}", "healthcheck.disable", "unknown key"),
        ("user: ''", "user", "'' is no user"),
        ("read_only: 1", "read_only", "must be true or false; it is 1"),
        ("cap_add: NET_ADMIN", "cap_add", "must be a list"),
        ("quantum: 1", "quantum", "unknown key; did you mean 'quantum_weight'?"),
        ("image: x", "image", "stands twice; first in line 4"),
    ],
)  # fmt: skip
def test_wrong_keys_are_named_with_line(line, key, words):
    error = refusal(container_with(line))
    assert (error.line, error.key) == (5, f"containers[0].{key}")
    assert words in error.message
    assert "\n" not in error.message


def two(entangle):
    return (
        "name: shop\ncontainers:\n  - {name: aa, image: x}\n  - {name: bb, image: x}\n"
        f"  - {{name: cc, image: x, superposition_states: [x, y, z]}}\nentangle:\n  - {entangle}\n"
    )


@pytest.mark.parametrize(
    "entangle, key, words",
    [
        ("{between: [aa, d]}", "between[1]", "there is no container 'd' in this file; there are aa, bb, cc"),
        ("{between: [aa]}", "between", "at least two containers"),
        ("{between: [aa, bb, aa]}", "between", "the container 'aa' stands twice"),
        ("{between: [aa, cc]}", "between", "equally many states: aa has 2, cc has 3"),
        ("{between: [aa, bb], mode: sam}", "mode", "or 'spread'; it is 'sam'; did you mean 'same'"),
        ("{mode: same}", "between", "is missing"),
        ("[aa, bb]", "", "must be a mapping"),
    ],
)  # fmt: skip
def test_wrong_entanglement(entangle, key, words):
    error = refusal(two(entangle))
    assert (error.line, error.key) == (7, "entangle[0]" + (f".{key}" if key else ""))
    assert words in error.message


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "the file is empty"),
        ("- a\n", "must be a mapping"),
        ("name: a\n", "containers: is missing"),
        ("name: a\ncontainers: []\n", "containers: must not be empty"),
        ("name: a b\ncontainers: [{name: x, image: y}]\n", "name: 'a b' must be letters"),
        (
            "name: a\ncontainers: [{name: x, image: y}, {name: x, image: y}]\n",
            "another container is called 'x'",
        ),
        ("name: a\ncontainers: [{name: x, image: y}]\nservice: {}\n", "service: unknown key"),
    ],
)
def test_wrong_files(text, words):
    assert words in refusal(text).message


def test_all_problems_are_told_sorted_by_line():
    error = refusal(
        """\
        name: shop
        containers:
          - name: web
            imag: nginx
            ports: [x]
        entangle:
          - {between: []}
        """
    )
    places = [line.split(": ")[0] for line in error.message.splitlines()]
    assert places == [f"/srv/shop/cluster.yaml:{line}" for line in (3, 4, 5, 7)]
    assert (error.line, error.key) == (3, "containers[0].image")


def test_without_a_filename():
    file = load_cluster("{name: a, containers: [{name: web, image: c, volumes: ['./x:/y']}]}")
    assert file.containers[0].spec.mounts[0].source == f"{Path.cwd()}/x"
    with pytest.raises(ConfigError) as told:
        load_cluster("a: 1")
    assert told.value.message.startswith("1: a: unknown key")


def test_a_folder_of_its_own():
    file = load_cluster("services: {web: {image: c, volumes: ['./x:/y']}}", "f.yaml", folder="/srv/other")
    assert file.name == "other"
    assert file.containers[0].spec.mounts[0].source == "/srv/other/x"


def test_the_examples():
    canary = load_cluster((EXAMPLES / "canary.yaml").read_text(), str(EXAMPLES / "canary.yaml"))
    assert canary.name == "canary"
    assert [container.quantum.probability for container in canary.containers] == [0.8, 0.2]
    assert canary.entangled == (Entanglement(("stable", "canary"), "opposite"),)
    chaos = load_cluster((EXAMPLES / "chaos.yaml").read_text(), str(EXAMPLES / "chaos.yaml"))
    assert len(chaos.containers) == 3
    assert chaos.entangled == (Entanglement(("front", "cache", "database"), "same"),)


@given(st.text(alphabet="abcn:-{}[]&*!|>'\"\n #$,?~0123.", max_size=60))
def test_no_text_breaks_the_reader(text):
    # Whatever it says, the file lacks containers or says them wrongly: it is refused, and by name.
    with pytest.raises(ConfigError, match=r"f\.yaml"):
        load_cluster(f"name: x\n{text}", "f.yaml", {})
