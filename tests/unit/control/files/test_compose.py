"""Compose files with quantum keys."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from qrealm.base.errors import ConfigError
from qrealm.control.containers.files import ClusterContainer, Entanglement, load_cluster
from qrealm.control.containers.values import QuantumSpec
from qrealm.fleet.containers.protocol import ContainerSpec, HealthCheck, Limits, Mount, Port, Restart, Tmpfs

EXAMPLES = Path(__file__).parents[4] / "examples" / "qdocker"


def loaded(text, environ=None):
    return load_cluster(textwrap.dedent(text), "/srv/shop/compose.yaml", environ or {})


def refusal(text, environ=None):
    with pytest.raises(ConfigError) as told:
        loaded(text, environ)
    return told.value


def one(line):
    return f"name: n\nservices:\n  web:\n    image: nginx\n    {line}\n"


def test_the_smallest_file_is_called_as_its_folder():
    file = loaded("services: {web: {image: nginx}}")
    assert file.name == "shop"
    spec = ContainerSpec("web", "nginx", network="shop_default", network_made=True, aliases=("web",))
    assert file.containers == (ClusterContainer(spec, QuantumSpec()),)


def test_files_of_variables(tmp_path):
    (tmp_path / "first.env").write_text("# words\nA=1\nexport B='x $y # z'\nC=\"a b\"\nD\nF=\n")
    (tmp_path / "second.env").write_text("A=2\nG=http://x/#y\n")
    text = one("env_file: [first.env, ./second.env]") + "    environment: {G: mine}\n"
    file = load_cluster(text, "compose.yaml", {"D": "outside"}, tmp_path)
    assert file.containers[0].spec.environment == {
        "A": "2", "B": "x $y # z", "C": "a b", "D": "outside", "F": "", "G": "mine"
    }  # fmt: skip


@pytest.mark.parametrize(
    "line, words",
    [
        ("A=$x", "line 1: the value of A has a dollar sign"),
        ("B=1\nA=secret # c", "line 2: the value of A has"),
        ("A='secret", "the value of A"),
        ('A="secret\\n"', "the value of A"),
        ("A=it's secret", "the value of A"),
        ("=secret", "line 1 is not NAME=value"),
        ("secret secret=1", "line 1 is not NAME=value"),
    ],
)
def test_wrong_files_of_variables(tmp_path, line, words):
    (tmp_path / "x.env").write_text(line + "\n")
    with pytest.raises(ConfigError) as caught:
        load_cluster(one("env_file: x.env"), "compose.yaml", {}, tmp_path)
    assert caught.value.line == 5
    assert words in caught.value.message
    assert "secret" not in caught.value.message


def test_a_name_alone_in_a_file_of_variables_needs_a_value(tmp_path):
    """Left out in silence, a container would start without its TOKEN though the shell has one."""
    (tmp_path / "x.env").write_text("A=1\nTOKEN=old\n# why\nexport TOKEN\n")
    with pytest.raises(ConfigError, match=r"x\.env': line 4 is a name without a value") as caught:
        load_cluster(one("env_file: x.env"), "compose.yaml", {}, tmp_path)
    assert caught.value.line == 5
    assert "TOKEN" not in caught.value.message
    (tmp_path / "later.env").write_text("TOKEN=new\n")
    for keys, environ, value in (
        ("env_file: x.env", {"TOKEN": "outside"}, "outside"),
        ("env_file: [x.env, later.env]", {}, "new"),
        ("env_file: x.env\n    environment: {TOKEN: mine}", {}, "mine"),
        ("env_file: x.env\n    environment: [TOKEN]", {"TOKEN": "outside"}, "outside"),
        ("env_file: x.env\n    environment: [TOKEN]", {}, None),
    ):
        file = load_cluster(one(keys), "compose.yaml", environ, tmp_path)
        assert file.containers[0].spec.environment.get("TOKEN") == value


def test_files_of_variables_that_are_none(tmp_path):
    wrong = {"none.env": "No such file", ".": "must be a file", "/dev/zero": "must be a file"}
    for name, words in wrong.items():
        with pytest.raises(ConfigError) as caught:
            load_cluster(one(f"env_file: {name}"), "compose.yaml", {}, tmp_path)
        assert words in caught.value.message


def test_name_of_the_host_folders_in_memory_and_exposed_ports():
    lines = "hostname: web-1.shop\n    tmpfs: [/run, '/tmp:size=64m,mode=755']\n    expose: [80, '81-83/udp']"
    spec = loaded(one(lines)).containers[0].spec
    assert spec.hostname == "web-1.shop"
    assert spec.tmpfs == (Tmpfs("/run"), Tmpfs("/tmp", 64 << 20, 0o755))
    assert spec.ports == ()


def test_grace_of_a_stop_and_init():
    spec = loaded(one("stop_grace_period: 1m30s\n    init: true")).containers[0].spec
    assert (spec.stop_grace_s, spec.init) == (90.0, True)
    plain = loaded(one("restart: always")).containers[0].spec
    assert (plain.stop_grace_s, plain.init) == (10.0, False)


def test_services_are_in_one_network_each_by_its_name():
    file = loaded(
        """\
        name: store
        services:
          web: {image: nginx, container_name: front}
          db: {image: redis, scale: 2}
          own: {image: nginx, network_mode: none}
          plain: {image: nginx, network_mode: bridge}
        """
    )
    found = [(each.spec.name, each.spec.network, each.spec.network_made, each.spec.aliases)
             for each in file.containers]  # fmt: skip
    assert found == [
        ("front", "store_default", True, ("web",)),
        ("db-1", "store_default", True, ("db",)),
        ("db-2", "store_default", True, ("db",)),
        ("own", "none", False, ()),
        ("plain", "bridge", False, ()),
    ]


EVERY_KEY = """\
version: "3.9"
name: store
x-other: {anything: [goes]}
services:
  web:
    image: nginx
    container_name: front
    command: [a, b]
    entrypoint: /init -x
    environment: [A=1, B, C]
    ports: ["80", {target: 53, published: "53", protocol: udp}]
    volumes: ["data:/data", "named:/named", "shared:/shared:ro", "./x:/x"]
    restart: no
    healthcheck: {test: [CMD-SHELL, "curl -f ."], interval: 10s}
    labels: {a: b}
    user: "1000:1000"
    working_dir: /w
    read_only: true
    cap_add: [CHOWN]
    mem_limit: 64m
    cpus: "0.25"
    pids_limit: 9
    network_mode: none
    x-other: 1
    x-quantum: {weight: 2, probability: 0.25, states: [a, b, c], node: left}
  api:
    image: api
    deploy: {resources: {limits: {cpus: 0.5, memory: 32M, pids: 5}}}
    x-quantum: {states: [x, y, z]}
volumes:
  data:
  named: {name: its-own}
  shared: {external: true}
x-quantum:
  entangle:
    - {between: [web, api], mode: same}
"""


def test_every_key():
    file = loaded(
        EVERY_KEY,
        {"B": "b"},
    )
    assert file.name == "store"
    front, api = file.containers
    assert front == ClusterContainer(
        ContainerSpec(
            name="front",
            image="nginx",
            command=("a", "b"),
            entrypoint=("/init", "-x"),
            environment={"A": "1", "B": "b"},
            labels={"a": "b"},
            limits=Limits(0.25, 64 << 20, 9),
            restart=Restart(),
            health=HealthCheck(("/bin/sh", "-c", "curl -f ."), 10.0),
            mounts=(
                Mount("store_data", "/data"),
                Mount("its-own", "/named"),
                Mount("shared", "/shared", True),
                Mount("/srv/shop/x", "/x"),
            ),
            ports=(Port(80), Port(53, 53, "udp")),
            network="none",
            user="1000:1000",
            working_dir="/w",
            read_only=True,
            cap_add=("CHOWN",),
        ),
        QuantumSpec(("a", "b", "c"), 0.25, 2.0),
        "left",
    )
    assert api.spec.limits == Limits(0.5, 32 << 20, 5)
    assert file.entangled == (Entanglement(("front", "api"), "same"),)


@pytest.mark.parametrize("line", ["scale: 3", "deploy: {replicas: 3}"])
def test_copies(line):
    file = loaded(one(line) + "x-quantum: {entangle: [{between: [web], mode: spread}]}\n")
    assert [container.spec.name for container in file.containers] == ["web-1", "web-2", "web-3"]
    assert file.entangled == (Entanglement(("web-1", "web-2", "web-3"), "spread"),)


def test_one_copy_can_be_named():
    text = one("scale: 2") + "  api: {image: x}\nx-quantum: {entangle: [{between: [api, web-2]}]}\n"
    assert loaded(text).entangled == (Entanglement(("api", "web-2"), "same"),)


def test_variables_stand_for_numbers_too():
    file = loaded(
        """
        services:
          web:
            image: nginx:${TAG:-1.27}
            scale: ${COPIES}
            read_only: "${READ}"
            cpus: ${CPUS}
            mem_limit: ${MEMORY}
            environment: {VERSION: "${TAG:-1.10}", PRICE: 5$$}
            x-quantum: {probability: "${P}"}
        """,
        {"COPIES": "2", "READ": "true", "CPUS": "0.5", "MEMORY": "64m", "P": "0.25"},
    )
    first = file.containers[0]
    assert len(file.containers) == 2
    assert first.spec.image == "nginx:1.27"
    assert first.spec.read_only
    assert first.spec.limits == Limits(0.5, 64 << 20)
    assert first.spec.environment == {"VERSION": "1.10", "PRICE": "5$"}
    assert first.quantum.probability == 0.25


def test_a_variable_that_is_no_number():
    error = refusal(one("scale: ${N}"), {"N": "three"})
    assert (error.line, error.key) == (5, "services.web.scale")
    assert "must be a whole number; it is the text 'three'" in error.message


def test_a_variable_that_is_not_set():
    error = refusal(one("user: ${WHO}"))
    assert (error.line, error.key) == (5, "services.web.user")
    assert "the variable WHO is not set" in error.message


def test_this_process_lends_its_environment(monkeypatch):
    monkeypatch.setenv("QREALM_TEST_TAG", "7")
    file = load_cluster("services: {web: {image: 'nginx:$QREALM_TEST_TAG'}}", "compose.yaml")
    assert file.containers[0].spec.image == "nginx:7"


@pytest.mark.parametrize(
    "line, key, words",
    [
        ("build: .", "build", "not supported; build the image first, and name it under image"),
        ("depends_on: [x]", "depends_on", "not supported; nothing is started with the file"),
        ("enviroment: {}", "enviroment", "did you mean 'environment'?"),
        ("privileged: true", "privileged", "not supported; every container has no new privileges"),
        ("mem_limit: 1x", "mem_limit", "'1x' is no amount of memory"),
        ("mem_limit: 4m", "mem_limit", "must be 6m or more; it is 4m"),
        ("cpus: many", "cpus", "must be a number of processors; it is 'many'"),
        ("cpus: 'nan'", "cpus", "must be a finite number"),
        ("network_mode: service:x", "network_mode", "of another container is not supported"),
        ("scale: 0", "scale", "must be 1 or more"),
        ("deploy: {mode: global}", "deploy.mode", "not supported; there are replicas, resources"),
        ("deploy: {resources: {reservations: {}}}", "deploy.resources.reservations", "not supported"),
        ("x-quantum: {probabilty: 0.1}", "x-quantum.probabilty", "did you mean 'probability'?"),
        ("x-quantum: {prob: 0.1}", "x-quantum.prob", "unknown key; did you mean 'probability'?"),
        ("x-quantum: {odds: 0.1}", "x-quantum.odds", "there are node, probability, states, weight"),
        ("x-quantum: {probability: 2}", "x-quantum.probability", "must be 1 or less"),
        ("volumes: ['data:/x']", "volumes[0]", "the volume 'data' is not declared"),
        ("labels: [1]", "labels", "each must be NAME=value"),
        ("ports: [{target: 80, mode: host}]", "ports[0].mode", "not supported"),
        ("expose: ['80:80']", "expose[0]", "stands under ports"),
        ("tmpfs: /run:uid=7", "tmpfs[0]", "the option 'uid=7' is not supported"),
        ("tmpfs: run", "tmpfs[0]", "no folder inside the container"),
        ("depends_on: [db]", "depends_on", "not supported; nothing is started with the file"),
        ("networks: [back]", "networks", "not supported; the services of a file share one network"),
        ("hostname: a_b", "hostname", "must be letters"),
        ("stop_grace_period: 90000s", "stop_grace_period", "must be 24h or less"),
        ("init: 3", "init", "must be true or false"),
        ("tmpfs: [/run, '/run/']", "tmpfs[1]", "another volume is at '/run' already"),
        ("tmpfs: '/run:size=1k,size=2k'", "tmpfs[0]", "the option 'size' stands twice"),
        ("tmpfs: '/run:size=0'", "tmpfs[0]", "a size of 0 bytes; it must be from 1"),
        ("cap_add: [NO_SUCH]", "cap_add[0]", "'NO_SUCH' is no capability"),
        ("environment: {'a b': x}", "environment", "'a b' is no name of a variable"),
        ("working_dir: srv", "working_dir", "no absolute path"),
        ("healthcheck: {test: ls, retries: 0}", "healthcheck.retries", "must be from 1 to 1,000,000"),
        ("healthcheck: {test: ls, start_period: 25h}", "healthcheck.start_period", "it is 90000 s"),
        ("network_mode: a b", "network_mode", "'a b' must be letters"),
        ("restart: on-failure:9999999", "restart", "there may be from 0 to 1,000,000"),
        ("mem_limit: 2000000t", "mem_limit", "more memory than there can be"),
    ],
)
def test_wrong_keys_are_named_with_line(line, key, words):
    error = refusal(one(line))
    assert (error.line, error.key) == (5, f"services.web.{key}")
    assert words in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize(
    "lines, key, words",
    [
        (["scale: 2", "deploy: {replicas: 3}"], "scale", "is 2, and deploy.replicas is 3"),
        (["scale: 2", "container_name: x"], "container_name", "cannot be given to 2 containers"),
        (["cpus: 1", "deploy: {resources: {limits: {cpus: 2}}}"], "cpus", "limits.cpus is 2"),
    ],
)  # fmt: skip
def test_keys_that_contradict_each_other(lines, key, words):
    error = refusal(one("\n    ".join(lines)))
    assert error.key == f"services.web.{key}"
    assert words in error.message


def test_a_port_that_is_said_twice_is_one():
    (found,) = loaded(one("ports: ['92:80', '92:80', '80', '80', {target: 80, published: 92}]")).containers
    assert found.spec.ports == (Port(80, 92), Port(80), Port(80))
    assert "92:80/udp and 92:81/udp are one port" in refusal(one("ports: ['92:80/udp', '92:81/udp']")).message


def test_a_folder_in_memory_is_not_where_a_volume_is():
    error = refusal(one("volumes: ['/x:/run']\n    tmpfs: [/tmp, '/run/']"))
    assert error.key == "services.web.tmpfs[1]"
    assert "another volume is at '/run' already" in error.message


def test_rules_of_a_container_as_a_whole():
    error = refusal(one('environment: ["A=a\\0"]\n    scale: 2'))
    assert (error.line, error.key) == (5, "services.web.environment")
    assert error.message.count("the value of 'A' has a NUL character") == 1


@pytest.mark.parametrize(("folder", "name"), [("My shop", "Myshop"), ("_.x y", "xy"), ("é", "compose")])
def test_a_folder_that_can_be_no_name_of_a_cluster(folder, name):
    file = load_cluster("services: {web: {image: x}}", "compose.yaml", {}, f"/srv/{folder}")
    assert file.name == name


def test_ports_can_be_copied_each_host_has_its_own():
    found = loaded(one("scale: 2\n    ports: ['80', '8080:80', {target: 81, published: 0}]")).containers
    assert [each.spec.ports for each in found] == [(Port(80), Port(80, 8080), Port(81))] * 2


@pytest.mark.parametrize(
    "text, key, words",
    [
        ("services: {}", "services", "must not be empty"),
        ("services: {web: {}}", "services.web.image", "is missing"),
        ("services: {web: {image: 'a b'}}", "services.web.image", "'a b' is no name of an image"),
        ("services: {web: }", "services.web", "must be a mapping"),
        ("services: {'a b': {image: x}}", "services.a b", "must be letters"),
        ("services: {web: {image: x}}\nnetworks: {a: }", "networks", "not supported"),
        ("services: {web: {image: x}}\nvolumes: {a: {driver: nfs}}", "volumes.a.driver", "not supported"),
        ("services: {web: {image: x}}\nx-quantum: {mode: same}", "x-quantum.mode", "unknown key"),
        ("services: {aa: {image: x, x-quantum: {links: b}}}", "services.aa.x-quantum.links", "unknown key"),
        ("services: {aa: {image: x, container_name: bb}, bb: {image: x}}", "services.bb", "called 'bb' too"),
        (
            "services: {aa: {image: x}}\nx-quantum: {entangle: [{between: [aa, b]}]}",
            "x-quantum.entangle[0].between[1]",
            "no container 'b' in this file; there are aa",
        ),
    ],
)
def test_wrong_files(text, key, words):
    error = refusal(text)
    assert error.key == key
    assert words in error.message


def test_the_example():
    path = EXAMPLES / "compose.yaml"
    file = load_cluster(path.read_text(), str(path), {"NGINX_VERSION": "1.28"})
    assert file.name == "shop"
    assert [container.spec.name for container in file.containers] == ["web-1", "web-2", "web-3", "admin"]
    assert {container.spec.image for container in file.containers} == {"nginx:1.28"}
    assert file.containers[3].spec.mounts == (Mount("shop_pages", "/usr/share/nginx/html", True),)
    assert file.entangled == (Entanglement(("web-1", "web-2", "web-3"), "spread"),)
