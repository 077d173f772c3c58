"""Health checks as Podman's interface for Docker keeps them: joined with spaces, and split there again."""

from __future__ import annotations

import subprocess

import pytest

from qrealm.fleet.containers.podman import check_words


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
