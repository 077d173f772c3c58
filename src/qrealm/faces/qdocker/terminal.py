"""Where words go, and exit codes: data to stdout, messages to stderr. Rich is loaded only for a progress bar,
so that a short command is quick."""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from typing import Any

from qrealm.base.errors import CommandNotFoundError, CommandNotRunnableError, QrealmError
from qrealm.faces.ending import Ending
from qrealm.faces.qdocker.home import debug_wanted

EXIT_ERROR = 1
EXIT_OWN_ERROR = 125
"""As Docker's: qdocker or the engine failed, not the container's command."""
EXIT_NOT_RUNNABLE = 126
EXIT_NOT_FOUND = 127
_STREAMS = (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)
"""How what stands in for a closed stdin, stdout and stderr is opened: a closed stdout keeps refusing."""

DOCKER_CODES = frozenset({"create", "run", "exec"})
"""Commands whose exit codes are those of `docker run`."""

_BOLD_RED, _BOLD_CYAN, _BOLD_YELLOW, _PLAIN = "\x1b[1;31m", "\x1b[1;36m", "\x1b[1;33m", "\x1b[0m"


def speak_plainly() -> None:
    """Let stdout write every text, whatever its encoding; and fill the places of closed streams, before files
    of our own get their numbers."""
    for number, mode in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BufferedReader(_file(0, "r")), encoding="utf-8")
    sys.stdout = sys.stdout or io.TextIOWrapper(io.BufferedWriter(_file(1, "w")), encoding="utf-8")
    sys.stderr = sys.stderr or io.TextIOWrapper(io.BufferedWriter(_file(2, "w")), encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _file(number: int, mode: str) -> io.FileIO:
    return io.FileIO(number, mode, closefd=False)


def write(text: str) -> None:
    """A line of data."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def write_json(value: Any) -> None:
    """A value as indented JSON."""
    write(json.dumps(value, indent=4, ensure_ascii=False))


def tell(text: str) -> None:
    """A message."""
    sys.stderr.write(text + "\n")


def warn(text: str) -> None:
    """A warning."""
    tell(f"{_marked('warning:', _BOLD_YELLOW)} {text}")


def report(problem: QrealmError) -> None:
    """An error: what happened, then the hint; a traceback only for those who debug."""
    if debug_wanted():
        sys.stderr.write("".join(traceback.format_exception(problem)))
    head, separator, hint = str(problem).partition("\nhint: ")
    tell(f"{_marked('error:', _BOLD_RED)} {head}")
    if separator:
        tell(f"{_marked('hint:', _BOLD_CYAN)} {hint}")


def exit_code_of(problem: QrealmError, command_name: str) -> int:
    """What a command exits with after this error: the codes of `docker run` where it has these."""
    if command_name not in DOCKER_CODES:
        return EXIT_ERROR
    if isinstance(problem, CommandNotFoundError):
        return EXIT_NOT_FOUND
    if isinstance(problem, CommandNotRunnableError):
        return EXIT_NOT_RUNNABLE
    return EXIT_OWN_ERROR


def usage_code(command_name: str) -> int:
    """What a command exits with when its words are wrong."""
    return EXIT_OWN_ERROR if command_name in DOCKER_CODES else EXIT_ERROR


def ending_of(command_name: str) -> Ending:
    """What a command does about errors: it tells them, and has their exit code."""

    def reported(problem: QrealmError) -> int:
        report(problem)
        return exit_code_of(problem, command_name)

    def refused(problem: OSError, words: str) -> int:
        if debug_wanted():
            sys.stderr.write("".join(traceback.format_exception(problem)))
        tell(f"{_marked('error:', _BOLD_RED)} {words}")
        return usage_code(command_name)

    return Ending(tell, reported, refused)


def _marked(word: str, colour: str) -> str:
    """A word in colour on a terminal that wants it (https://no-color.org)."""
    wanted = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    return f"{colour}{word}{_PLAIN}" if wanted else word
