"""The whole of OpenQASM through pyqasm, which unrolls loops and subroutines to what the fast reader takes."""

from __future__ import annotations

import logging
import re
import sys
import threading
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from qrealm.base.errors import MissingExtraError, ReadError, SyntaxReadError, UnsupportedError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.qasm_registers import Handover
from qrealm.circuits.formats.qasm_text import blank_comments
from qrealm.circuits.formats.qasm_watch import Place, Watch, check_tree
from qrealm.circuits.gate_rows import GATES

LOOP_TURNS_MAX = 100_000
"""Most turns of one loop: every turn becomes gates."""

GATES_MAX = 200_000
"""Most gates, statements and turns that unrolling may visit, at 0.2 ms each: loops in loops have no other
bound."""

RULE = "gates, measurements, resets, barriers, conditions on measured bits, and what pyqasm unrolls to these"

_PLACE = re.compile(r"line (\d+), column (\d+)")
_PARSER_PLACE = re.compile(r"L(\d+):C(\d+): (.*)", re.DOTALL)
_INTERNALS = re.compile(r"span=|<class|object at 0x|openqasm3\.|Traceback|string: $")
_DEFINED = re.compile(r"\bgate\s+([^\W\d]\w*)")
_LOCK = threading.Lock()  # pyqasm reports places through a logger that all threads share


def read_full(text: str, source: str, offset: int = 0) -> Circuit:
    """Reads a program with loops, subroutines, classical variables, aliases.

    Args:
        text: the program.
        source: what error messages call it.
        offset: of the statement that the fast reader has no rule for; shown where nothing better is known.

    Raises:
        SyntaxReadError, UnsupportedError: with line, column, text and rule.
        MissingExtraError: pyqasm is not installed.
    """
    from qrealm.circuits.formats.qasm import read_qasm_plain

    first = (text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
    plain, places = unroll(text, source, first)
    try:
        return read_qasm_plain(plain, source)
    except Handover as problem:
        line = plain.count("\n", 0, max(problem.offset, 0)) + 1
        raise _placed(
            UnsupportedError("this part of OpenQASM cannot be executed here", rule=RULE),
            text,
            source,
            _origin(places, line, first),
        ) from problem
    except ReadError as problem:  # its place is one in the unrolled text
        error = UnsupportedError(problem.message, rule=problem.rule or RULE, hint=problem.hint)
        raise _placed(error, text, source, _origin(places, problem.line, first)) from problem


def _origin(places: list[tuple[int, Place | None]], line: int, first: Place) -> Place:
    """Where the statement stands that became this line of the unrolled text."""
    index = bisect_right(places, line, key=lambda row: row[0]) - 1
    return (places[index][1] if index >= 0 else None) or first


def _placed(error: ReadError, text: str, source: str, place: Place) -> ReadError:
    lines = text.split("\n")
    line = min(max(place[0], 1), len(lines))
    error.source, error.line, error.column = source, line, max(place[1], 1)
    error.text = lines[line - 1].rstrip("\r")[:200]
    return error


def unroll(text: str, source: str, first: Place = (1, 1)) -> tuple[str, list[tuple[int, Place | None]]]:
    """The program without loops, subroutines and variables; gates of our table keep their names.

    Returns:
        the text, and for each statement of it the line where it starts and the place that it comes from.
    """
    try:
        import openqasm3
        import pyqasm
        import pyqasm.maps.expressions as operators
    except ImportError as problem:
        raise MissingExtraError("reading the whole of OpenQASM", package="pyqasm", extra="all") from problem
    defined = set(_DEFINED.findall(blank_comments(text)))
    watch = Watch(GATES_MAX, LOOP_TURNS_MAX)
    kept = _Counted(
        name
        for gate in GATES.values()
        for name in (gate.name, *gate.aliases, gate.name.upper())
        if name not in defined and gate.name not in ("unitary", "gphase")
    )
    kept.step = watch.step
    with _LOCK, _Quiet() as log:
        original = dict(operators.OPERATOR_MAP)
        try:
            tree = parse(text)
            check_tree(tree, GATES_MAX)
            operators.OPERATOR_MAP.update(watch.bounded(original))
            module = pyqasm.loads(tree)
            accept = module.accept
            module.accept = lambda visitor: accept(watch.attach(visitor))
            module.unroll(external_gates=kept, unroll_barriers=False, max_loop_iters=LOOP_TURNS_MAX)
            return _written(module.unrolled_ast, openqasm3.dumps)
        except ReadError as problem:
            raise _placed(problem, text, source, (problem.line, problem.column)) from problem.__cause__
        except Exception as problem:  # pyqasm raises whatever its parser and Python's evaluation raise
            place = watch.place if watch.steps else first
            raise _explain(text, source, problem, log.messages, place) from problem
        finally:
            operators.OPERATOR_MAP.update(original)


def parse(text: str) -> Any:
    """The parser's tree of a program.

    Raises:
        SyntaxReadError: the text breaks the grammar; with line and column.
    """
    from openqasm3 import parser as grammar

    class Listener(grammar.ErrorListener):  # type: ignore[misc, name-defined, unused-ignore]
        def syntaxError(self, *told: Any) -> None:  # noqa: N802
            _, symbol, line, column, *_ = told
            if symbol is not None and symbol.text == "<EOF>":  # an empty line shows nothing
                end = text.rstrip()
                line, column = end.count("\n") + 1, len(end) - end.rfind("\n") - 1
            word = "" if symbol is None else str(symbol.text)
            what = (
                f"{word[:60]!r} cannot stand here"
                if word.strip("<>") not in ("", "EOF")
                else ("the program ends too early" if symbol is not None else "this character has no meaning")
            )
            raise SyntaxReadError(what, line=line, column=column + 1, rule="the grammar of OpenQASM 3.0")

    lexer = grammar.qasm3Lexer(grammar.InputStream(text))
    reader = grammar.qasm3Parser(grammar.CommonTokenStream(lexer))
    for part in (lexer, reader):
        part.removeErrorListeners()  # theirs print
        part.addErrorListener(Listener())
    program = grammar.QASMNodeVisitor().visitProgram(reader.program())
    version = str(program.version or "3.0")
    program.version = "3.0" if version.startswith("3") else version  # pyqasm refuses 3.1 and a missing one
    return program


def _written(tree: Any, dumps: Callable[[Any], str]) -> tuple[str, list[tuple[int, Place | None]]]:
    parts, places = [f"OPENQASM {tree.version};\n"], []
    line = 2
    for statement in tree.statements:
        part = str(dumps(statement)).rstrip("\n") + "\n"
        places.append((line, getattr(statement, "qrealm_place", None)))
        parts.append(part)
        line += part.count("\n")
    return "".join(parts), places


def _explain(text: str, source: str, problem: BaseException, messages: list[str], place: Place) -> ReadError:
    message = str(problem).strip().removesuffix(":")
    if isinstance(problem, RecursionError):
        message = "the program is nested too deeply"
    elif not type(problem).__module__.startswith(("pyqasm", "openqasm3")) or not message:
        message = "this statement cannot be executed here"  # its own words are about Python, not OpenQASM
    found = _PARSER_PLACE.match(message)
    if found is not None:
        place, message = (int(found.group(1)), int(found.group(2)) + 1), found.group(3)
    else:
        seen = next((m for m in map(_PLACE.search, messages) if m is not None), None)
        if seen is not None and int(seen.group(1)) > 0:
            place = int(seen.group(1)), int(seen.group(2)) + 1
    if _INTERNALS.search(message):
        message = message.split("QuantumGate(span=")[0].strip().removesuffix(":")
        message = "this statement cannot be executed here" if _INTERNALS.search(message) else message
    kind = (
        UnsupportedError
        if "support" in message.lower() or "cannot be" in message or "Limit" in type(problem).__name__
        else SyntaxReadError
    )
    return _placed(kind(message[:400], rule="OpenQASM 3.0, as pyqasm reads it"), text, source, place)


class _Counted(list[str]):
    """Names that count how often they are searched: pyqasm does so once for every gate that it unrolls."""

    step: Callable[[], None]

    def __contains__(self, name: object) -> bool:
        self.step()
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
