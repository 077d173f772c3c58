"""How a command ends, in both command lines: what went wrong becomes words on stderr and an exit code; and
what is said of wrong words before it begins."""

from __future__ import annotations

import errno
import functools
import inspect
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec

import typer
from typer.core import TyperCommand, TyperGroup

from qrealm.base.errors import QrealmError

EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report a program that Ctrl-C ended."""

EXIT_BROKEN_PIPE = 141
"""128 + SIGPIPE: whoever read our output has gone, as `head` does."""

_OF_WRITING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True, slots=True)
class Ending:
    """What a command line does about errors and Ctrl-C.

    Attributes:
        tell: writes a line on stderr.
        report: tells an error of qrealm; the exit code.
        refused: tells what the operating system refused, in the words that it gets; the exit code.
    """

    tell: Callable[[str], None]
    report: Callable[[QrealmError], int]
    refused: Callable[[OSError, str], int]

    def code_of(self, work: Callable[[], int | None]) -> int:
        """Do the work and flush its output; the exit code. Any exception that is not named here is a bug and
        keeps its traceback."""
        try:
            code = work() or 0
            sys.stdout.flush()
        except QrealmError as problem:
            return self.report(problem)
        except KeyboardInterrupt:
            self.tell("interrupted")
            return EXIT_INTERRUPTED
        except BrokenPipeError:
            give_up_stdout()
            return EXIT_BROKEN_PIPE
        except OSError as problem:
            return self.refused(problem, _in_words(problem, flushed=_flushed()))
        return code

    def command(self, body: Callable[_Arguments, int | None]) -> Callable[_Arguments, None]:
        """A command for typer: the same arguments, its help with folded paragraphs."""

        @functools.wraps(body)
        def guarded(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
            if code := self.code_of(lambda: body(*args, **kwargs)):
                raise typer.Exit(code)

        guarded.__doc__ = folded(body.__doc__ or "")
        return guarded


def _flushed() -> bool:
    """Whether what was written has gone out; what cannot is given up."""
    try:
        sys.stdout.flush()
    except OSError:
        give_up_stdout()
        return False
    return True


def _in_words(problem: OSError, *, flushed: bool) -> str:
    told = problem.strerror or str(problem)
    if problem.filename is not None:
        return f"{problem.filename}: {told}"
    # Without a file's name these are of writing, and what writes without one is the output.
    output = not flushed or problem.errno in _OF_WRITING
    return f"the output cannot be written: {told}" if output else told


def give_up_stdout() -> None:
    """Python flushes stdout once more at its end; give it somewhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def folded(text: str) -> str:
    """A help text with each paragraph on one line, for the terminal to wrap."""
    paragraphs = (" ".join(each.split("\n")) for each in inspect.cleandoc(text).split("\n\n"))
    return "\n\n".join(f"{_KEPT}{each}" if each.startswith(" ") else each for each in paragraphs)


_KEPT = "[none]"
"""Markup that shows nothing: where all paragraphs after the heading begin with blanks, as examples do, typer
takes these away."""


_FAULTS = {
    "float_parsing": "is not a number",
    "int_parsing": "is not a whole number",
    "int_from_float": "is not a whole number",
    "bool_parsing": "is neither true nor false",
    "greater_than_equal": "is less than {ge}",
    "less_than_equal": "is more than {le}",
}
"""What is said of a value, by the name that pydantic has for what is wrong with it."""


_VALUES = {
    "str": "TEXT",
    "int": "NUMBER",
    "float": "NUMBER",
    "Path": "FILE",
    "path": "FILE",
    "file": "FILE",
    "directory": "FOLDER",
}
"""What help calls a value, by the name that typer has for its type."""


def _with_plain_values(params: list[Any], ctx: Any) -> list[Any]:
    """The same parameters; help shows what a user writes for their values."""
    for each in params:
        _name_value(each, ctx)
    return params


def _name_value(param: Any, ctx: Any) -> None:
    """Have help show what a user writes: nothing beside a flag or an argument's name, `TEXT` or `a|b` beside
    an option. Newer versions of typer show names of Python's types there: ``<bool>``, ``<list[str]>``."""
    if param.param_type_name == "argument":
        param.display_type = lambda _: ""
    elif param.metavar is None and hasattr(param, "display_type"):
        name = re.sub(r"^<(?:list\[(.*)\]|(.*))>$", r"\1\2", param.display_type(ctx))
        param.metavar = "" if param.is_flag else _VALUES.get(name, name)


class PlainGroup(TyperGroup):
    """A group of commands whose help names no types of Python."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _with_plain_values(super().get_params(ctx), ctx)


class PlainCommand(TyperCommand):
    """A command whose usage line is as Docker's, and which tells of wrong values in plain words, whatever the
    version of typer: newer ones have braces there, names of Python's types, and pydantic's words."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _with_plain_values(super().get_params(ctx), ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [re.sub(r"^\{(.*)\}", r"\1", piece) for piece in super().collect_usage_pieces(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as problem:
            problem.message = _of_value(problem.__cause__) or problem.message
            raise


def _of_value(cause: object) -> str:
    """What is wrong with a value; empty where pydantic has not said it."""
    told = getattr(cause, "errors", None)
    if not callable(told) or not (details := told()):
        return ""
    detail = details[0]
    if detail["type"] == "value_error":
        error = detail["ctx"]["error"]
        return _of_value(error) or str(error)
    fault = _FAULTS.get(detail["type"])
    return f"{detail['input']!r:.60} {fault.format(**detail.get('ctx', {}))}" if fault else str(detail["msg"])
