"""`qdocker exec -it` at a real terminal before a real engine: what is typed, Ctrl-C, sizes, exit codes, and
the terminal as it was before."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl

import pytest

from engines.eyes import clean, why_no_eyes
from engines.image import IMAGE
from engines.podman_engine import podman_engine, why_no_podman
from engines.qdocker_daemon import QDOCKER, daemon_with, qdocker

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

DEADLINE_S = 60.0


@contextmanager
def daemon(driver: str, url: str) -> Iterator[dict[str, str]]:
    """Environment of a daemon with a container `web` that runs on a real engine, and one on a simulated
    node."""
    config = (
        "nodes:\n"
        f"  - {{name: east, driver: {driver}, url: '{url}'}}\n"
        "  - {name: trial, driver: simulated, cpus: 4, memory: 4096}\n"
    )
    make = ("create", "--quantum-probability", "1", "--node")
    with daemon_with(config) as variables:
        for words in (
            (*make, "east", "--network", "none", IMAGE, "web"),
            (*make, "trial", IMAGE, "mere"),
            ("run", "web"),
            ("run", "mere"),
        ):
            done = qdocker(variables, *words)
            assert done.returncode == 0, done.stderr
        yield variables


@pytest.fixture(scope="module")
def environment(url: str) -> Iterator[dict[str, str]]:
    with daemon("docker", url) as variables:
        yield variables
    clean([url])


class Terminal:
    """A pseudo terminal with a command in it."""

    def __init__(self, environment: dict[str, str], *words: str, rows: int = 24, columns: int = 80) -> None:
        self.ours, theirs = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.ours)
        self.process = subprocess.Popen(
            [*QDOCKER, *words], env=environment, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
            start_new_session=True, preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def wait_for(self, pattern: str) -> None:
        """Until what was written since the last call has the pattern."""
        until = time.monotonic() + DEADLINE_S
        while not (found := re.search(pattern.encode(), self.seen)):
            assert self._more(until), self.seen
        self.seen = self.seen[found.end() :]

    def end(self) -> int:
        """Exit code of the command, once the terminal's settings are seen to be as before."""
        until = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < until:
            self._more(time.monotonic() + 0.05)
        code = self.process.wait(timeout=DEADLINE_S)
        assert termios.tcgetattr(self.ours) == self.before
        while self._more(time.monotonic() + 0.05):
            pass
        os.close(self.ours)
        return code

    def _more(self, until: float) -> bool:
        if not select.select([self.ours], [], [], max(0.0, until - time.monotonic()))[0]:
            return False
        try:
            got = os.read(self.ours, 1 << 16)
        except OSError:  # Linux's word for the end of a terminal
            return False
        self.seen += got
        return bool(got)


def test_a_shell_is_talked_to(environment):
    terminal = Terminal(environment, "exec", "-it", "-e", "A=7", "web", "sh", rows=31, columns=97)
    terminal.wait_for("[#$] ")
    terminal.type("echo $((6 * $A))\r")
    terminal.wait_for(r"42\r\n")
    terminal.type("busybox stty size\r")
    terminal.wait_for(r"\n31 97\r\n")
    terminal.resize(40, 111)
    terminal.type('until [ "$(busybox stty size)" = "40 111" ]; do sleep 0.1; done; echo resized\r')
    terminal.wait_for(r"\nresized\r\n")
    terminal.type("sh -c 'echo begun; exec sleep 600'\r")
    terminal.wait_for(r"\nbegun\r\n")
    terminal.type("\x03")  # ends the command inside, not ours
    terminal.wait_for("[#$] ")
    terminal.type("echo code $?\r")
    terminal.wait_for(r"\ncode 130\r\n")
    terminal.type("test -t 0 && test -t 1 && echo both\r")
    terminal.wait_for(r"\nboth\r\n")
    terminal.type("exit 42\r")
    assert terminal.end() == 42


def test_the_terminal_is_restored_whatever_ends_the_command(environment):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        terminal = Terminal(environment, "exec", "-it", "web", "sh")
        terminal.wait_for("[#$] ")
        assert termios.tcgetattr(terminal.ours) != terminal.before, "every key is passed on"
        terminal.process.send_signal(number)
        assert terminal.end() == 128 + number
        assert b"Traceback" not in terminal.seen


def test_the_engines_keys_let_go_of_the_command(environment):
    terminal = Terminal(environment, "exec", "-it", "web", "sh")
    terminal.wait_for("[#$] ")
    terminal.type("\x10\x11")
    assert terminal.end() == 0, terminal.seen
    assert b"detached" in terminal.seen


def test_what_cannot_be_run_at_a_terminal_has_dockers_codes(environment):
    for words, code in ((["web", "/nope"], 127), (["web", "/bin/locked"], 126), (["web", "false"], 1)):
        terminal = Terminal(environment, "exec", "-it", *words)
        assert terminal.end() == code


def test_a_terminal_without_input(environment):
    done = subprocess.run(
        [*QDOCKER, "exec", "-t", "web", "sh", "-c", "test -t 1 && echo yes"],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == (b"yes\r\n", 0)


def test_refusals(environment):
    def refused(*words: str) -> str:
        done = subprocess.run(
            [*QDOCKER, "exec", *words], env=environment, text=True, input="", capture_output=True, check=False
        )
        assert done.returncode == 125
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "stdin that is no terminal" in refused("-it", "web", "sh")
    assert "simulated" in refused("-i", "mere", "sh")
    assert "no container" in refused("-i", "nobody", "sh").replace("there is ", "")


def test_input_is_given_as_it_comes(environment):
    with subprocess.Popen(
        [*QDOCKER, "exec", "-i", "web", "cat"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for word in (b"one\n", b"two\n"):
            process.stdin.write(word)
            process.stdin.flush()
            assert process.stdout.readline() == word, "before the input has ended"
        process.stdin.close()
        assert process.wait(timeout=DEADLINE_S) == 0


def test_three_megabytes_arrive_whole(environment):
    given = bytes(range(256)) * (3 << 12)
    done = subprocess.run(
        [*QDOCKER, "exec", "-i", "web", "sh", "-c", "cat; echo err >&2; exit 9"],
        env=environment, input=given, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout == given
    assert (done.stderr, done.returncode) == (b"err\n", 9)


def test_a_command_that_reads_nothing_ends_all_the_same(environment):
    done = subprocess.run(
        [*QDOCKER, "exec", "-i", "web", "sh", "-c", "echo done"],
        env=environment, input=b"x" * (1 << 20), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == (b"done\n", 0)


@pytest.mark.skipif(why_no_podman() is not None, reason=str(why_no_podman()))
def test_on_podman():
    with podman_engine() as engine, daemon("podman", engine.url) as environment:
        terminal = Terminal(environment, "exec", "-it", "web", "sh", rows=31, columns=97)
        terminal.wait_for("[#$] ")
        terminal.type("busybox stty size\r")
        terminal.wait_for(r"\n31 97\r\n")
        terminal.type("exit 42\r")
        assert terminal.end() == 42
        test_input_is_given_as_it_comes(environment)
        test_three_megabytes_arrive_whole(environment)
        subprocess.run([*QDOCKER, "rm", "-f", "web"], env=environment, check=True, capture_output=True)
