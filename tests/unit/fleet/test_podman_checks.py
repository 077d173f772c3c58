"""Health checks as Podman's interface for Docker keeps them: joined with spaces, and split there again."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager

import pytest

from engines.answering import answering, nothing_left_open
from engines.half_answers import whole
from qrealm.fleet.containers.podman import LABEL_MOUNTED, PodmanDriver, check_words
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint, HealthCheck, Mount

SPACED = ("/probe", "--say", "a b")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("test", "-e", "/well"), ["CMD", "test", "-e", "/well"]),
        (("/bin/sh", "-c", "a | b || exit 1"), ["CMD-SHELL", "a | b || exit 1"]),
        (("sh", "-c", "true"), ["CMD", "sh", "-c", "true"]),
        (("test", "a b", "=", ""), ["CMD-SHELL", "test 'a b' = ''"]),
    ],
)
def test_words(command, words):
    assert check_words(command) == words


@pytest.mark.parametrize(
    "text",
    [
        "a  b",
        " a",
        "a\n\nb'c",
        "tab\there",
        "\\n stays",
        "50 % \\ 'x'  \"y\" $HOME `id`",
        "ä  ö\u3000",
        "\\\\  \\",
    ],
)
def test_what_is_joined_and_split_again_says_the_same(text):
    script = f"cat <<'END'\n{text}\nEND\n"
    words = " ".join(check_words(("/bin/sh", "-c", script))).split()
    assert words[0] == "CMD-SHELL"
    told = subprocess.run(["sh", "-c", " ".join(words[1:])], capture_output=True, check=True, text=True)
    assert told.stdout == f"{text}\n"


@contextmanager
def podman(version):
    """The driver of a Podman of that version, and how often it was asked for it."""
    asked = []

    def answer(connection, line):
        assert "/version " in line
        asked.append(line)
        connection.sendall(whole(b'{"ApiVersion": "1.41", "Version": "%s"}' % version.encode()))
        return True

    with answering(answer) as path, nothing_left_open():
        driver = PodmanDriver(Endpoint("podman", f"unix://{path}"), timeout_s=20.0)
        try:
            yield driver, asked
        finally:
            driver.close()


def words_for(driver, *command):
    return driver._body(ContainerSpec("web", "web:1", health=HealthCheck(command)))["Healthcheck"]["Test"]


@pytest.mark.parametrize("version", ["4.3.1", "5.7.1", ""])
def test_a_podman_that_joins_words_gets_them_for_the_shell(version):
    with podman(version) as (driver, _):
        assert words_for(driver, *SPACED) == ["CMD-SHELL", "/probe --say 'a b'"]


@pytest.mark.parametrize("version", ["5.8.0", "5.10.2-dev", "6.0.0"])
def test_one_that_keeps_them_needs_no_shell_in_the_image(version):
    with podman(version) as (driver, _):
        assert words_for(driver, *SPACED) == ["CMD", *SPACED]
        assert words_for(driver, "/bin/sh", "-c", "a\nb") == ["CMD", "/bin/sh", "-c", "a\nb"]


def test_it_is_asked_for_its_version_once_and_only_for_such_words():
    with podman("5.8.0") as (driver, asked):
        assert words_for(driver, "/probe", "--well") == ["CMD", "/probe", "--well"]
        assert asked == []
        words_for(driver, *SPACED)
        once = len(asked)  # the connection asks for the interface's version, too
        words_for(driver, *SPACED)
        assert len(asked) == once


def test_a_label_tells_which_volumes_are_mounted_by_names_like_its_own():
    first, second = "0a" * 32, "b1" * 32
    mounts = (Mount(first, "/a"), Mount("kept", "/b"), Mount(f"/{first}", "/c"), Mount(second, "/d"))
    with podman("4.3.1") as (driver, _):
        body = driver._body(ContainerSpec("web", "web:1", labels={"a": "b"}, mounts=mounts))
        assert body["Labels"] == {"a": "b", LABEL_MOUNTED: f"{first},{second}"}
        # An image may have such a label; ours counts.
        assert driver._body(ContainerSpec("web", "web:1"))["Labels"] == {LABEL_MOUNTED: ""}
