"""How commands end when the operating system says no: what was written before goes out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMMAND = """
import os, sys
from qrealm.faces.ending import Ending

def body():
    print("a row")
    {refused}

ending = Ending(print, lambda problem: 3, lambda problem, words: sys.stderr.write(words) and 1)
sys.exit(ending.code_of(body))
"""


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ("open('/nonexistent/x')", "/nonexistent/x: No such file or directory"),
        ("os.read(os.open('/', 0), 1)", "Is a directory"),
        ("os.write(os.open('/dev/full', 1), b'x')", "the output cannot be written: No space left on device"),
    ],
)
def test_what_was_written_goes_out(refused, words):
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND.format(refused=refused)], capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("a row\n", words, 1)


def test_what_cannot_go_out_is_named_as_the_output():
    """A reader that does not read, and a pipe that does not wait for it: no error of a full disk."""
    program = COMMAND.format(refused="os.set_blocking(1, False); print('x' * (1 << 20))")
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    read, write = os.pipe()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            env=variables,
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(read)
        os.close(write)
    words = "the output cannot be written: write could not complete without blocking"
    assert (ended.stderr, ended.returncode) == (words, 1)
