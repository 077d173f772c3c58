"""Every rule for containers, broken in a file: told with file, line and key, before anything is made."""

from __future__ import annotations

import inspect

import pytest

from qrealm.base.errors import ConfigError, RequestError
from qrealm.control.containers.files import load_cluster
from qrealm.control.containers.files.container_shapes import Reader
from qrealm.fleet.containers import rules
from qrealm.fleet.containers.protocol import ContainerSpec, HealthCheck, Limits, Mount, Port, Restart, Tmpfs

LONG = "a" * 129
# A rule, what breaks it in a cluster file, and in a Compose file where that differs.
CASES = [
    ("container_name", {"name": "a"}, {"container_name": "a"}),
    ("container_name", {"name": LONG}, {"container_name": LONG}),
    ("reference_fault", {"image": "'A b'"}, None),
    ("cpus", {"resource_requirements": "{cpu: 0}"}, {"cpus": "0"}),
    ("cpus", {"resource_requirements": "{cpu: 1e9}"}, {"deploy": "{resources: {limits: {cpus: 1e9}}}"}),
    ("memory", {"resource_requirements": "{memory: 1}"}, {"mem_limit": "1"}),
    ("memory", {"resource_requirements": "{memory: 1k}"}, {"mem_limit": "1k"}),
    ("memory", {"resource_requirements": "{memory: 1e30}"}, {"mem_limit": "9999999t"}),
    ("pids", {"resource_requirements": "{pids: 0}"}, {"pids_limit": "0"}),
    ("pids", {"resource_requirements": "{pids: 9999999}"}, {"pids_limit": "9999999"}),
    ("grace_s", {"stop_grace_period": "25h"}, None),
    ("port_number", {"ports": "[99999]"}, None),
    ("port_number", {"ports": "[{target: 0}]"}, None),
    ("port_number", {"ports": "[{target: 80, published: 99999}]"}, None),
    ("own_clash", {"ports": "['8080:80', '8080:81']"}, None),
    ("host_address", {"ports": "[{target: 80, host_ip: x}]"}, None),
    ("mount_source", {"volumes": "['a b:/x']"}, None),
    ("mount_target", {"volumes": "['/a:x']"}, None),
    ("mount_target", {"volumes": "['/a:/']"}, None),
    ("another_at", {"volumes": "['/a:/x', '/b:/x/']"}, None),
    ("another_at", {"volumes": "['/a:/x']", "tmpfs": "/x"}, None),
    ("memory_folder", {"tmpfs": "'/x:size=0'"}, None),
    ("hostname", {"hostname": "a_b"}, None),
    ("network", {"network": "container:db"}, {"network_mode": "container:db"}),
    ("network", {"network": "a b"}, {"network_mode": "a b"}),
    ("variable_name", {"environment": "{'A B': c}"}, None),
    ("label_name", {"labels": "{'a=b': c}"}, None),
    ("label_name", {"labels": "{io.qrealm.sealed: c}"}, None),
    ("capability", {"cap_add": "[FOO]"}, None),
    ("user", {"user": "a b"}, None),
    ("working_dir", {"working_dir": "srv"}, None),
    ("plain_text", {"working_dir": '"/\\0"'}, None),
    ("plain_text", {"environment": '{A: "\\0"}'}, None),
    ("plain_text", {"labels": '{a: "\\0"}'}, None),
    ("plain_text", {"command": '[ls, "\\0"]'}, None),
    ("plain_text", {"entrypoint": '["\\0"]'}, None),
    ("plain_text", {"volumes": '["/\\0:/x"]'}, None),
    ("plain_text", {"volumes": '["/a:/\\0"]'}, None),
    ("plain_text", {"healthcheck": '{test: [CMD, "\\0"]}'}, None),
    ("restart", {"restart": "on-failure:9999999"}, None),
    ("health", {"healthcheck": "{test: [CMD, '']}"}, None),
    ("check_s", {"healthcheck": "{test: ls, interval: 25h}"}, None),
    ("check_s", {"healthcheck": "{test: ls, timeout: 0s}"}, None),
    ("start_period_s", {"healthcheck": "{test: ls, start_period: 25h}"}, None),
    ("retries", {"healthcheck": "{test: ls, retries: 0}"}, None),
]
# Rules of what the program makes itself, or not of one value.
NOT_IN_FILES = {
    *("check_spec", "spec_faults", "check_held", "inside", "shown"),
}


def lines_of(keys):
    return "".join(f"    {key}: {value}\n" for key, value in keys.items())


def in_cluster(keys):
    return "name: shop\ncontainers:\n  -\n" + lines_of({"name": "web", "image": "nginx:1"} | keys)


def in_compose(keys):
    return "name: shop\nservices:\n  web:\n" + lines_of({"image": "nginx:1"} | keys)


@pytest.mark.parametrize(("text", "path"), [(in_cluster, "containers[0]"), (in_compose, "services.web")])
@pytest.mark.parametrize(("rule", "keys", "others"), CASES)
def test_what_breaks_a_rule_is_told_with_its_line_and_key(rule, keys, others, text, path):
    keys = others if others and text is in_compose else keys
    written = text(keys)
    with pytest.raises(ConfigError) as told:
        load_cluster(written, "shop.yaml", {})
    key = list(keys)[-1]
    lines = [number for number, line in enumerate(written.splitlines(), 1) if line.startswith(f"    {key}:")]
    assert (told.value.file, told.value.line) == ("shop.yaml", lines[0])
    assert told.value.key.startswith(f"{path}.{key}")
    assert str(told.value).startswith(f"QR410: shop.yaml:{lines[0]}: {path}.{key}")
    assert "\n" not in told.value.message  # and once


def test_every_rule_is_among_these():
    """So that one which is added later is tried in a file, too."""
    public = {
        name
        for name, each in inspect.getmembers(rules, inspect.isfunction)
        if each.__module__ == rules.__name__ and not name.startswith("_")
    }
    tried = {rule for rule, _, _ in CASES}
    assert public - NOT_IN_FILES <= tried


BROKEN = {
    "name": {"name": "a"},
    "image": {"image": "A b"},
    "limits.cpus": {"limits": Limits(cpus=0.0)},
    "limits.memory_bytes": {"limits": Limits(memory_bytes=1)},
    "limits.pids": {"limits": Limits(pids=0)},
    "stop_grace_s": {"stop_grace_s": -1.0},
    "ports": {"ports": (Port(0),)},
    "mounts": {"mounts": (Mount("/a", "x"),)},
    "tmpfs": {"tmpfs": (Tmpfs("x"),)},
    "environment": {"environment": {"A": "\0"}},
    "labels": {"labels": {"a": "\0"}},
    "command": {"command": ("\0",)},
    "entrypoint": {"entrypoint": ("\0",)},
    "health": {"health": HealthCheck(())},
    "restart": {"restart": Restart("always", 3)},
    "network": {"network": "a b"},
    "hostname": {"hostname": "a_b"},
    "user": {"user": ""},
    "working_dir": {"working_dir": "x"},
    "cap_add": {"cap_add": ("FOO",)},
}


def broken(field):
    return ContainerSpec(**{"name": "web", "image": "nginx:1"} | BROKEN[field])


@pytest.mark.parametrize("field", BROKEN)
def test_whatever_is_found_in_the_whole_container_has_its_key(field, monkeypatch):
    """As if no key had been looked at by itself: what `create` would refuse is a fault of the file."""
    from qrealm.control.containers.files import cluster, compose

    with pytest.raises(RequestError):
        rules.check_spec(broken(field))
    assert field in {fault.field for fault in rules.spec_faults(broken(field))}
    check = Reader.check
    for module in (cluster, compose):
        monkeypatch.setattr(module, "ContainerSpec", lambda **_: broken(field))
    monkeypatch.setattr(Reader, "check", lambda self, spec, *rest: check(self, broken(field), *rest))
    for text, path in ((in_cluster({}), "containers[0]"), (in_compose({}), "services.web")):
        with pytest.raises(ConfigError) as told:
            load_cluster(text, "shop.yaml", {})
        assert told.value.file == "shop.yaml"
        assert told.value.line is not None
        assert told.value.key.startswith(path)
        assert len(told.value.key) > len(path) or field == "name"  # a Compose service's is its key


def test_every_part_that_create_looks_at_is_among_these():
    looked_at = {row[0] for row in (*rules._ASKED, *rules._HELD, *rules._numbers_asked(1))}
    assert looked_at | {"name", "image"} == set(BROKEN)


def test_a_service_of_one_letter_is_told_what_to_write():
    with pytest.raises(ConfigError, match="'a': a name has two or more letters") as told:
        load_cluster("name: shop\nservices:\n  a:\n    image: nginx\n", "shop.yaml", {})
    assert (told.value.line, told.value.key) == (3, "services.a")
    assert told.value.hint == "container_name: shop-a"
    named = "name: shop\nservices:\n  a:\n    image: nginx\n    container_name: shop-a\n"
    assert load_cluster(named, "shop.yaml", {}).containers[0].spec.name == "shop-a"
    several = load_cluster("name: shop\nservices:\n  a:\n    image: nginx\n    scale: 2\n", "shop.yaml", {})
    assert [each.spec.name for each in several.containers] == ["a-1", "a-2"]


ALL_AT_ONCE = """\
name: shop
name: shop
containers:
  - name: web
    image: nginx
    image: nginx
    memry: 3
    cap_add: [FOO]
    labels: {a: "\\0"}
  - name: b
    image: nginx
    ports: ["80:80", "80:81"]
    volumes: ["/a:/x"]
    tmpfs: [/x]
entangle:
  - between: [web, nobody]
    mode: sometimes
"""


def test_all_faults_of_a_file_are_told_at_once():
    with pytest.raises(ConfigError) as told:
        load_cluster(ALL_AT_ONCE, "shop.yaml", {})
    places = [line.split(": ")[:2] for line in str(told.value).removeprefix("QR410: ").splitlines()]
    assert places == [
        ["shop.yaml:2", "name"],
        ["shop.yaml:6", "containers[0].image"],
        ["shop.yaml:7", "containers[0].memry"],
        ["shop.yaml:8", "containers[0].cap_add[0]"],
        ["shop.yaml:9", "containers[0].labels"],
        ["shop.yaml:10", "containers[1].name"],
        ["shop.yaml:12", "containers[1].ports[1]"],
        ["shop.yaml:14", "containers[1].tmpfs[0]"],
        ["shop.yaml:16", "entangle[0].between[1]"],
        ["shop.yaml:17", "entangle[0].mode"],
    ]


def test_all_faults_of_a_compose_file_are_told_at_once():
    text = (
        "services:\n  web:\n    image: nginx\n    user: ${NONE:?give it}\n    mem_limit: 1k\n"
        "    mem_limit: 2k\n    volumes: [data:/x]\n"
        "x-quantum:\n  entangle:\n    - {between: [web, db], mode: sometimes}\n"
    )
    with pytest.raises(ConfigError) as told:
        load_cluster(text, "shop.yaml", {}, "/srv/shop")
    assert [line.split(": ")[1] for line in told.value.message.splitlines()] == [
        "services.web.user",
        "services.web.mem_limit",
        "services.web.volumes[0]",
        "x-quantum.entangle[0].between[1]",
        "x-quantum.entangle[0].mode",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "superposition_states: [a, 'b c', d]",
        "superposition_stats: [a, b, c]",
    ],
)
def test_nothing_is_told_that_only_follows_from_another_fault(line):
    text = (
        f"name: shop\ncontainers:\n  - name: web\n    image: nginx\n    {line}\n"
        "  - {name: api, image: nginx, superposition_states: [a, b, c]}\nentangle: [{between: [web, api]}]\n"
    )
    with pytest.raises(ConfigError) as told:
        load_cluster(text, "shop.yaml", {})
    assert told.value.line == 5
    assert "\n" not in told.value.message
