"""`read`: any common form of a circuit becomes a `Circuit`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qrealm.base.errors import SchemaError, SourceFileError, SourceKindError, SyntaxReadError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats import cirq, ionq, pennylane, qir, qiskit
from qrealm.circuits.formats.dictionary import is_dict_form, read_dict
from qrealm.circuits.formats.qasm import read_qasm
from qrealm.circuits.formats.qasm_text import place

TEXT_BYTES_MAX = 1 << 30
"""Largest file that is read: 1 GiB of text is some fifty million gates."""


@dataclass(frozen=True, slots=True)
class Format:
    """A row of the registry: which objects, and what reads them (with the caller's further arguments)."""

    name: str
    accepts: Callable[[Any], bool]
    read: Callable[..., Circuit]


def read(source: Any, *args: Any, **kwargs: Any) -> Circuit:
    """Reads a circuit.

    Args:
        source: a dict (ours or IonQ's), JSON, OpenQASM 2 or 3 or QIR text, the path of a file with one of
            these, QIR bitcode as bytes or in a file, a Qiskit QuantumCircuit, a cirq Circuit, a PennyLane
            tape or QNode, pyqir's Module or SimpleModule, or a `Circuit`, which is returned as it is.
        args, kwargs: what a PennyLane QNode is called with; other sources take none.

    Raises:
        SourceKindError: none of these.
        SourceFileError: a path that cannot be read.
        SyntaxReadError, UnsupportedError, SchemaError: see base/errors.py.
        CircuitError: a framework's circuit that breaks a rule of ours, such as a NaN parameter.
    """
    for row in FORMATS:
        if row.accepts(source):
            if (args or kwargs) and row.name != "PennyLane":
                raise SourceKindError(
                    f"read() got arguments besides the source, which is {row.name}",
                    hint="only a PennyLane QNode takes arguments",
                )
            return row.read(source, *args, **kwargs)
    known = ", ".join(row.name for row in FORMATS)
    raise SourceKindError(
        f"read() got a {type(source).__module__}.{type(source).__qualname__}",
        rule=f"a source is one of: {known}",
    )


def looks_like_text(source: str) -> bool:
    """Whether a string is a program rather than the name of a file."""
    start = source.lstrip("\ufeff \t\r\n")
    return not start or start[0] in "{[" or any(mark in source for mark in ("\n", ";", "OPENQASM"))


def read_text(text: str, name: str = "<text>") -> Circuit:
    """Reads JSON, OpenQASM or QIR text."""
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise SourceKindError("the program is empty", source=name, rule="a program is JSON, OpenQASM or QIR")
    if text.lstrip()[0] in "{[":
        return _read_json(text, name)
    if qir.is_qir(text):
        return qir.read_qir(text, name)
    try:
        return read_qasm(text, name)
    except SyntaxReadError as problem:
        if "OPENQASM" in text:
            raise
        raise SyntaxReadError(
            f"no OPENQASM header, no JSON and no QIR: read as OpenQASM 3 it breaks here: {problem.message}",
            hint=problem.hint,
            source=problem.source,
            line=problem.line,
            column=problem.column,
            text=problem.text,
            rule=problem.rule,
        ) from problem


def read_file(path: str | os.PathLike[str]) -> Circuit:
    """Reads a file of JSON, OpenQASM or QIR text, UTF-8, or of QIR bitcode."""
    name = os.fspath(path)
    try:
        if Path(name).stat().st_size > TEXT_BYTES_MAX:
            raise SourceFileError(f"{name} is larger than {TEXT_BYTES_MAX >> 30} GiB", source=name)
        data = Path(name).read_bytes()
        text = "" if qir.is_bitcode(data) else data.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise SourceFileError(
            f"{name} is not UTF-8 text: {problem.reason} at byte {problem.start}",
            source=name,
            hint="OpenQASM and JSON programs are text, QIR programs text or LLVM bitcode",
        ) from problem
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise SourceFileError(
            f"cannot read the file {name[:200]!r}: {reason}",
            source=name[:200],
            hint="give the path of a file, or the text of a program",
        ) from problem
    return qir.read_bitcode(data, name) if qir.is_bitcode(data) else read_text(text, name)


def _read_json(text: str, name: str) -> Circuit:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as problem:
        line, column, row = place(text, problem.pos)
        raise SchemaError(
            f"not JSON: {problem.msg}",
            source=name,
            line=line,
            column=column,
            text=row,
            rule="a program that starts with { or [ is JSON",
        ) from problem
    except (RecursionError, ValueError) as problem:
        raise SchemaError(
            f"not JSON that can be read: {type(problem).__name__}",
            source=name,
            rule="nesting and numbers of moderate size",
        ) from problem
    if not isinstance(value, dict):
        raise SchemaError(
            "the JSON is a list", source=name, rule='an object: {"num_qubits": 2, "gates": [...]}'
        )
    return _read_mapping(value, name)


def _read_mapping(source: Mapping[str, Any], name: str = "<dict>") -> Circuit:
    if ionq.is_ionq(source):
        return ionq.read_ionq(source, name)
    if is_dict_form(source) or not source:
        return read_dict(source, name)
    raise SchemaError(
        f"neither our dict form nor IonQ's: the fields are {sorted(map(str, source))[:8]}",
        source=name,
        rule='{"num_qubits": 2, "gates": [...]}',
    )


def _read_string(source: str) -> Circuit:
    return read_text(source) if looks_like_text(source) else read_file(source)


FORMATS: tuple[Format, ...] = (
    Format("a qrealm Circuit", lambda s: isinstance(s, Circuit), lambda s: s),
    Format("a dict", lambda s: isinstance(s, Mapping), _read_mapping),
    Format("text", lambda s: isinstance(s, str), _read_string),
    Format("a path", lambda s: isinstance(s, os.PathLike), read_file),
    Format("a Qiskit QuantumCircuit", qiskit.is_qiskit, qiskit.read),
    Format("a cirq Circuit", cirq.is_cirq, cirq.read),
    Format("PennyLane", pennylane.is_pennylane, pennylane.read),
    Format("QIR bitcode", qir.is_bitcode, qir.read_bitcode),
    Format("a pyqir module", qir.is_module, qir.read_module),
)
"""Every kind of source, asked in this order."""
