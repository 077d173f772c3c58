"""From words on the command line to specifications, times and filters, and what is refused."""

from __future__ import annotations

import datetime

import pytest

from qrealm.base.errors import RequestError
from qrealm.control.containers import short_forms
from qrealm.faces.qdocker.filters import container_filter
from qrealm.faces.qdocker.specification import (
    read_environment,
    read_health,
    read_labels,
    read_memory,
    read_mount,
    read_ports,
    read_restart,
    read_tmpfs,
)
from qrealm.faces.qdocker.times import ago, read_duration, read_moment, spoken
from qrealm.fleet.containers.protocol import Tmpfs


@pytest.mark.parametrize(
    "text, size",
    [
        ("512", 512 << 20),
        ("512m", 512 << 20),
        ("1g", 1 << 30),
        ("1.5G", 3 << 29),
        ("64MiB", 64 << 20),
        ("8k", 8192),
    ],
)
def test_memory(text, size):
    assert read_memory(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1", "1x", "nan", "1 2", "9" * 400])
def test_memory_that_is_none(text):
    with pytest.raises(RequestError, match="--memory got"):
        read_memory(text)


@pytest.mark.parametrize("text", ["1e3", "9" * 40, "12 34"])
def test_an_amount_of_memory_is_told_as_it_was_given(text):
    with pytest.raises(RequestError, match=rf"^QR\d+: --memory got '{text}', which is "):
        read_memory(text)


def test_a_folder_whose_name_begins_with_a_dot():
    with pytest.raises(RequestError, match=r"'\.cache' is no name of a volume; .* written '\./\.cache'"):
        read_mount(".cache:/x")
    assert read_mount("./.cache:/x")["source"].endswith("/.cache")


def port(inner, outer=None, protocol="tcp", ip=""):
    return {"container_port": inner, "host_port": outer, "protocol": protocol, "host_ip": ip}


@pytest.mark.parametrize(
    "word, ports",
    [
        ("80", [port(80)]),
        ("8080:80", [port(80, 8080)]),
        (":80", [port(80)]),
        ("127.0.0.1:5353:53/udp", [port(53, 5353, "udp", "127.0.0.1")]),
        ("127.0.0.1::53", [port(53, ip="127.0.0.1")]),
        ("0:80", [port(80)]),
        ("127.0.0.1:0:90/udp", [port(90, protocol="udp", ip="127.0.0.1")]),
        ("[::1]:8080:80", [port(80, 8080, ip="::1")]),
        ("8000-8001:80-81", [port(80, 8000), port(81, 8001)]),
    ],
)
def test_ports(word, ports):
    assert read_ports(word) == ports


@pytest.mark.parametrize(
    "word",
    [
        "",
        "a",
        "0-1:80-81",
        "80:70000",
        "1-3:1-2",
        "3-1:1-3",
        "80/icmp",
        "1:2:3:4",
        "999.1.1.1:80:80",
        "1.2.3:80:80",
        "[::x]:80:80",
    ],
)
def test_ports_that_are_none(word):
    with pytest.raises(RequestError, match="--publish got"):
        read_ports(word)


@pytest.mark.parametrize(
    ("word", "size", "mode"),
    [
        ("/run", None, None),
        ("/run:size=64m", 64 << 20, None),
        ("/run:mode=1777,size=1g", 1 << 30, 0o1777),
        ("/run:size=65536", 65536, None),
    ],
)
def test_folders_in_memory(word, size, mode):
    assert read_tmpfs(word) == {"target": "/run", "size_bytes": size, "mode": mode}
    # As files read the same words.
    assert short_forms.tmpfs(word) == Tmpfs("/run", size, mode)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "/",
        "run",
        "/run:size=",
        "/run:mode=9",
        "/run:noexec",
        "/run:size=many",
        "/run:size=0",
        "/run:size=1k,size=2k",
    ],
)
def test_folders_in_memory_that_are_none(word):
    with pytest.raises(RequestError, match="--tmpfs got"):
        read_tmpfs(word)
    with pytest.raises(ValueError, match=r"folder|supported|memory|must be from|twice"):
        short_forms.tmpfs(word)


def test_mounts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_mount("/srv:/data:ro") == {"source": "/srv", "target": "/data", "read_only": True}
    assert read_mount("cache:/data") == {"source": "cache", "target": "/data", "read_only": False}
    assert read_mount("./here:/data")["source"] == str(tmp_path / "here")
    assert read_mount("../x:/data")["source"] == str(tmp_path.parent / "x")


@pytest.mark.parametrize("word", ["/data", ":/data", "/srv:data", "/srv:/data:rx", "/a:/b:ro:c", ""])
def test_mounts_that_are_none(word):
    with pytest.raises(RequestError, match="--volume got"):
        read_mount(word)


def test_environment_of_words_wins_over_that_of_files(tmp_path, monkeypatch):
    file = tmp_path / "env"
    file.write_text("# comment\n\nA=1\nB= spaced value \nHERE\nNOWHERE\n")
    monkeypatch.setenv("HERE", "mine")
    monkeypatch.delenv("NOWHERE", raising=False)
    found = read_environment(["A=2", "C=x=y", "EMPTY="], [file])
    assert found == {"A": "2", "B": " spaced value ", "HERE": "mine", "C": "x=y", "EMPTY": ""}


def test_environment_that_is_none(tmp_path):
    with pytest.raises(RequestError, match="--env got '', which is no name of a variable"):
        read_environment(["=1"], None)
    with pytest.raises(RequestError, match=r"cannot be read"):
        read_environment(None, [tmp_path / "missing"])
    (tmp_path / "env").write_text("A=1\nA B=2\n")
    with pytest.raises(RequestError, match="line 2"):
        read_environment(None, [tmp_path / "env"])


def test_restart_labels_health():
    assert read_restart("on-failure:3") == {"name": "on-failure", "retries_max": 3}
    assert read_restart("always") == {"name": "always", "retries_max": 0}
    for word in ("maybe", "always:3", "on-failure:x"):
        with pytest.raises(RequestError, match="--restart got"):
            read_restart(word)
    with pytest.raises(RequestError, match="must be one of no, always") as caught:
        read_restart("maybe")
    assert "always" not in caught.value.hint
    assert read_labels(["a=b=c", "d"]) == {"a": "b=c", "d": ""}
    assert read_health(None, None, None, None, None) is None
    assert read_health("true", None, None, None, None) == {"command": ["/bin/sh", "-c", "true"]}
    usual = read_health("true", "0s", "0", None, "0s")
    assert usual == {"command": ["/bin/sh", "-c", "true"]}
    health = read_health("true || false", "1m30s", "500ms", 5, "2")
    assert health == {
        "command": ["/bin/sh", "-c", "true || false"],
        "interval_s": 90.0,
        "timeout_s": 0.5,
        "retries": 5,
        "start_period_s": 2.0,
    }


@pytest.mark.parametrize(
    "given, option",
    [
        ((None, "1s", None, None, None), "--health-interval"),
        ((None, None, "1s", None, None), "--health-timeout"),
        ((None, None, None, 3, None), "--health-retries"),
        ((None, None, None, None, "0s"), "--health-start-period"),
        ((None, "x", None, None, None), "--health-interval got 'x'"),
    ],
)
def test_a_health_check_that_is_none(given, option):
    with pytest.raises(RequestError, match=option):
        read_health(*given)


def test_durations_and_moments():
    assert read_duration("1h2m3.5s", "--x") == 3723.5
    assert read_moment("10m", "--since", now=1000.0) == 400.0
    assert read_moment("1767225600", "--since") == 1767225600.0
    assert read_moment("2026-01-01T00:00:00Z", "--since") == 1767225600.0
    local = datetime.datetime(2026, 1, 1, 12).timestamp()
    assert read_moment("2026-01-01T12:00:00", "--since") == local
    assert read_moment(None, "--since") is None
    for word in ("yesterday", "-5m", "10x", ""):
        with pytest.raises(RequestError, match="--since got"):
            read_moment(word, "--since")


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0.2, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (14 * 86400, "2 weeks"),
        (61 * 86400, "2 months"),
        (800 * 86400, "2 years"),
    ],
)
def test_spoken(seconds, words):
    assert spoken(seconds) == words
    assert ago(0.0, now=seconds) == f"{words} ago"


def view(name="web", state="running", node="n1", cluster=None, labels=None, health=None, exit_code=None):
    spec = {"labels": labels or {}}
    record = {"id": "abc123", "name": name, "spec": spec, "node": node, "cluster": cluster, "phase": "ready"}
    facts = {"state": state, "health": health, "exit_code": exit_code}
    return {"record": record, "facts": facts, "node": {"simulated": False}}


@pytest.mark.parametrize(
    "words, kept",
    [
        ([], True),
        (["name=we"], True),
        (["name=^eb"], False),
        (["name=x", "name=web"], True),
        (["id=abc"], True),
        (["id=bc"], False),
        (["status=running"], True),
        (["status=exited", "status=created"], False),
        (["node=n1", "cluster=c"], False),
        (["label=tier"], True),
        (["label=tier=web"], True),
        (["label=tier", "label=other"], False),
        (["health=none"], True),
        (["health=healthy"], False),
    ],
)
def test_filters(words, kept):
    keeps, by_status = container_filter(words)
    assert keeps(view(labels={"tier": "web"})) is kept
    assert by_status is any(word.startswith("status") for word in words)


def test_the_filter_of_exit_codes():
    keeps, by_status = container_filter(["exited=3", "exited=4"])
    assert by_status
    assert keeps(view(state="exited", exit_code=3))
    assert not keeps(view(state="exited", exit_code=0))
    assert not keeps(view(state="running"))
    nowhere = {**view(), "facts": None, "missing": True}
    assert not keeps(nowhere)
    assert container_filter(["status=missing"])[0](nowhere)


@pytest.mark.parametrize(
    "word", ["name", "colour=red", "status=happy", "name=(", "health=well", "exited=no", "exited="]
)
def test_filters_that_are_none(word):
    with pytest.raises(RequestError, match="--filter got"):
        container_filter([word])


@pytest.mark.parametrize(
    ("read", "word", "told"),
    [
        (read_ports, "1.2.3:80:80", "--publish got '1.2.3:80:80': '1.2.3' is no address of a host"),
        (read_ports, "x", "--publish got 'x', which is no port; write it as"),
        (read_ports, "1-2:3", "--publish got '1-2:3': 2 ports of the host for 1 of the container"),
        (read_mount, "/data", "--volume got '/data', which has no source"),
        (
            read_tmpfs,
            "/a:size=1k,size=2k",
            "--tmpfs got '/a:size=1k,size=2k': the option 'size' stands twice",
        ),
        (read_restart, "maybe", "--restart got 'maybe', which is no restart policy"),
        (read_memory, "x", "--memory got 'x', which is no amount of memory"),
    ],
)
def test_what_is_told_of_words(read, word, told):
    with pytest.raises(RequestError) as caught:
        read(word)
    assert caught.value.message.startswith(told)
    assert caught.value.hint


def test_of_a_variable_that_is_none_the_value_is_not_told():
    with pytest.raises(RequestError) as caught:
        read_environment(["A B=secret"], None)
    assert "'A B', which is no name" in caught.value.message
    assert "secret" not in caught.value.message
