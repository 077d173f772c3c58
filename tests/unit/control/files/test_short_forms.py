"""The short forms that Docker's users know."""

from __future__ import annotations

from pathlib import Path

import pytest

from qrealm.control.containers import short_forms
from qrealm.fleet.containers.protocol import Mount, Port, Restart

HERE = Path("/srv/app")


@pytest.mark.parametrize(
    "text, amount",
    [
        ("512m", 512 << 20),
        ("512M", 512 << 20),
        ("64mb", 64 << 20),
        ("64MiB", 64 << 20),
        ("1g", 1 << 30),
        ("1.5G", 3 << 29),
        ("1024", 1024),
        ("10b", 10),
        ("2k", 2048),
        ("1t", 1 << 40),
        (" 8 m ", 8 << 20),
    ],
)
def test_memory(text, amount):
    assert short_forms.memory_bytes(text) == amount


@pytest.mark.parametrize(
    "text, seconds", [("30s", 30.0), ("1m30s", 90.0), ("500ms", 0.5), ("1.5h", 5400.0), ("2us", 2e-6)]
)
def test_durations(text, seconds):
    assert short_forms.duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("no", Restart()),
        ("always", Restart("always")),
        ("unless-stopped", Restart("unless-stopped")),
        ("on-failure", Restart("on-failure")),
        ("on-failure:3", Restart("on-failure", 3)),
    ],
)
def test_restarts(text, wanted):
    assert short_forms.restart(text) == wanted


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("80", [Port(80)]),
        ("8080:80", [Port(80, 8080)]),
        ("0:80", [Port(80)]),
        (":80", [Port(80)]),
        ("53:53/udp", [Port(53, 53, "udp")]),
        ("127.0.0.1:8080:80", [Port(80, 8080, "tcp", "127.0.0.1")]),
        ("127.0.0.1::80", [Port(80, None, "tcp", "127.0.0.1")]),
        ("[::1]:8080:80/tcp", [Port(80, 8080, "tcp", "::1")]),
        ("8000-8002:80-82", [Port(80, 8000), Port(81, 8001), Port(82, 8002)]),
        ("80-81", [Port(80), Port(81)]),
    ],
)
def test_ports(text, wanted):
    assert short_forms.ports(text) == tuple(wanted)


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("data:/var/lib", Mount("data", "/var/lib")),
        ("data:/var/lib:ro", Mount("data", "/var/lib", True)),
        ("/etc/x:/y:rw", Mount("/etc/x", "/y")),
        ("./near:/y", Mount("/srv/app/near", "/y")),
        ("../up:/y", Mount("/srv/up", "/y")),
        (".:/y", Mount("/srv/app", "/y")),
        ("/a/../../b:/y", Mount("/b", "/y")),
    ],
)
def test_mounts(text, wanted):
    assert short_forms.mount(text, HERE) == wanted


def test_home_folders():
    assert short_forms.mount("~/x:/y", HERE).source == str(Path.home() / "x")


def test_words():
    assert short_forms.words("sh -c 'sleep 1; echo \"a b\"' ''") == ("sh", "-c", 'sleep 1; echo "a b"', "")
    assert short_forms.words("") == ()


@pytest.mark.parametrize(
    "read, text, words",
    [
        (short_forms.memory_bytes, "", "no amount of memory"),
        (short_forms.memory_bytes, "-1m", "no amount of memory"),
        (short_forms.memory_bytes, "1x", "no amount of memory"),
        (short_forms.memory_bytes, "1e3", "no amount of memory"),
        (short_forms.duration_s, "30", "no length of time"),
        (short_forms.duration_s, "", "no length of time"),
        (short_forms.duration_s, "1m 30s", "no length of time"),
        (short_forms.duration_s, "-1s", "no length of time"),
        (short_forms.restart, "never", "no restart policy"),
        (short_forms.restart, "always:3", "only on-failure"),
        (short_forms.restart, "on-failure:", "only on-failure"),
        (short_forms.restart, "on-failure:x", "only on-failure"),
        (short_forms.ports, "", "no port"),
        (short_forms.ports, "http", "no port"),
        (short_forms.ports, "8080:80:80", "no port"),
        (short_forms.ports, "0", "port 0 is not between"),
        (short_forms.ports, "65536", "port 65536 is not between"),
        (short_forms.ports, "70000:80", "port 70000 is not between"),
        (short_forms.ports, "80/icmp", "no protocol"),
        (short_forms.ports, "8000-8001:80", "2 ports of the host for 1 of the container"),
        (short_forms.ports, "82-80", "no range of ports"),
        (short_forms.ports, "-82:80", "no range of ports"),
        (short_forms.ports, "1.2.3.400:80:80", "no address of a host"),
        (lambda text: short_forms.mount(text, HERE), "data", "has no source"),
        (lambda text: short_forms.mount(text, HERE), "data:var", "no folder inside"),
        (lambda text: short_forms.mount(text, HERE), "data:/", "no folder inside"),
        (lambda text: short_forms.mount(text, HERE), "data:/x:z", "option 'z' is not supported"),
        (lambda text: short_forms.mount(text, HERE), "sub/dir:/x", "neither a folder"),
        (lambda text: short_forms.mount(text, HERE), ":/x", "neither a folder"),
        (short_forms.words, "echo 'a", "cannot be cut into words"),
    ],
)
def test_what_cannot_be_read(read, text, words):
    with pytest.raises(ValueError, match=words):
        read(text)
