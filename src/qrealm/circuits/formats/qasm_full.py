"""The whole of OpenQASM through pyqasm, which unrolls loops and subroutines to what the fast reader takes."""

from __future__ import annotations

import logging
import re
import sys
import threading
from typing import Any

from qrealm.base.errors import MissingExtraError, ReadError, SyntaxReadError, UnsupportedError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.qasm_text import blank_comments
from qrealm.circuits.gate_rows import GATES

LOOP_TURNS_MAX = 100_000
"""Most turns of one loop: every turn becomes gates."""

GATES_MAX = 1_000_000
"""Most gates that unrolling may visit, at 0.2 ms each: loops in loops have no other bound."""

_PLACE = re.compile(r"line (\d+), column (\d+)")
_DEFINED = re.compile(r"\bgate\s+([A-Za-z_]\w*)")
_LOCK = threading.Lock()  # pyqasm reports places through a logger that all threads share


def read_full(text: str, source: str) -> Circuit:
    """Reads a program with loops, subroutines, classical variables, aliases.

    Raises:
        SyntaxReadError, UnsupportedError: with the place where pyqasm names one.
        MissingExtraError: pyqasm is not installed.
    """
    from qrealm.circuits.formats.qasm import Handover, read_qasm_plain

    plain = unroll(text, source)
    try:
        return read_qasm_plain(plain, source)
    except Handover as problem:
        raise UnsupportedError(
            "the program uses a part of OpenQASM that cannot be executed here",
            source=source,
            rule="gates, measurements, resets, barriers, conditions on measured bits, and what "
            "pyqasm unrolls to these",
        ) from problem
    except ReadError as problem:  # its place is one in the unrolled text, so it is not passed on
        raise UnsupportedError(
            f"{problem.message} (after unrolling: {problem.text.strip()})",
            source=source,
            rule=problem.rule,
            hint=problem.hint,
        ) from problem


def unroll(text: str, source: str) -> str:
    """The program without loops, subroutines and variables; gates of our table keep their names."""
    try:
        import openqasm3
        import pyqasm
    except ImportError as problem:
        raise MissingExtraError("reading the whole of OpenQASM", package="pyqasm", extra="all") from problem
    defined = set(_DEFINED.findall(blank_comments(text)))
    kept = _Counted(
        name
        for gate in GATES.values()
        for name in (gate.name, *gate.aliases, gate.name.upper())
        if name not in defined and gate.name not in ("unitary", "gphase")
    )
    program = _versioned(text)
    with _LOCK, _Quiet() as log:
        try:
            module = pyqasm.loads(program)
            module.unroll(external_gates=kept, unroll_barriers=False, max_loop_iters=LOOP_TURNS_MAX)
            return str(openqasm3.dumps(module.unrolled_ast))
        except UnsupportedError:
            raise
        except Exception as problem:  # pyqasm raises whatever its parser and Python's evaluation raise
            raise _explain(program, source, problem, log.messages) from problem


def _versioned(text: str) -> str:
    """The program with the version that pyqasm wants: it refuses 3.1 and a missing one."""
    if "OPENQASM" not in text:
        return f"OPENQASM 3.0; {text}"
    return re.sub(r"OPENQASM(\s+)3\.\d+", r"OPENQASM\g<1>3.0", text, count=1)


def _explain(text: str, source: str, problem: BaseException, messages: list[str]) -> ReadError:
    line, column = _where(problem, messages)
    lines = text.split("\n")
    row = lines[line - 1][:200] if 1 <= line <= len(lines) else ""
    message = str(problem).split("QuantumGate(span=")[0].strip().removesuffix(":") or type(problem).__name__
    if isinstance(problem, RecursionError):
        message = "the program is nested too deeply"
    kind = (
        UnsupportedError
        if "support" in message.lower() or "Limit" in type(problem).__name__
        else SyntaxReadError
    )
    return kind(
        message[:400],
        source=source,
        line=line if row else 0,
        column=column if row else 0,
        text=row,
        rule="OpenQASM 3.0, as pyqasm reads it",
    )


def _where(problem: BaseException, messages: list[str]) -> tuple[int, int]:
    """Line and column, from the parser's offending token or else from pyqasm's own words."""
    seen: BaseException | None = problem
    for _ in range(10):
        for candidate in (seen, *(getattr(seen, "args", ()) or ())):
            token: Any = getattr(candidate, "offendingToken", None)
            if token is not None:
                return int(token.line), int(token.column) + 1
        seen = (seen.__cause__ or seen.__context__) if seen is not None else None
        if seen is None:
            break
    for words in (str(problem), *messages):
        found = _PLACE.search(words)
        if found is not None:
            return int(found.group(1)), int(found.group(2)) + 1
    return 0, 0


class _Counted(list[str]):
    """Names that count how often they are searched: pyqasm does so once for every gate that it unrolls."""

    searches = 0

    def __contains__(self, name: object) -> bool:
        self.searches += 1
        if self.searches > GATES_MAX:
            raise UnsupportedError(
                f"the program unrolls to more than {GATES_MAX} gates", rule="loops of moderate size"
            )
        return super().__contains__(name)


class _Quiet(logging.Handler):
    """Collects pyqasm's log instead of showing it, and keeps Python's tracebacks as they were."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def __enter__(self) -> _Quiet:
        logger = logging.getLogger("pyqasm")
        self._handlers, logger.handlers = logger.handlers, [self]
        self._limit = getattr(sys, "tracebacklimit", None)  # pyqasm sets it to 0 whenever it raises
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("pyqasm").handlers = self._handlers
        if self._limit is not None:
            sys.tracebacklimit = self._limit
        elif hasattr(sys, "tracebacklimit"):
            del sys.tracebacklimit
