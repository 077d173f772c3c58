"""QIR, in: what it comes as. Text, bitcode, and pyqir's modules."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from qrealm.base.errors import MissingExtraError, SyntaxReadError, UnsupportedError
from qrealm.circuits.circuit import Circuit
from qrealm.circuits.formats.frameworks import comes_from
from qrealm.circuits.formats.qir_reader import read_qir

BITCODE_MARKS = (b"BC\xc0\xde", b"\xde\xc0\x17\x0b")
"""How LLVM bitcode begins: as it is, or in a wrapper."""

BITCODE_SECONDS_MAX = 60.0
"""How long LLVM may take for a file."""

_BEGINS = re.compile(r"^[ \t]*(?:; ModuleID|source_filename\b|define[ \t])", re.MULTILINE)
_HEAD_LENGTH = 65_536
_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import pyqir
try:
    module = pyqir.Module.from_bitcode(pyqir.Context(), sys.stdin.buffer.read())
    fault = module.verify()
except ValueError as problem:
    fault = str(problem)
if fault is not None:
    sys.stderr.buffer.write(fault.encode("utf-8", "replace"))
    sys.exit(3)
sys.stdout.buffer.write(str(module).encode("utf-8", "replace"))
"""


def is_qir(text: str) -> bool:
    """Whether a text is a module of LLVM's language rather than OpenQASM."""
    if text[:_HEAD_LENGTH].lstrip().startswith("OPENQASM"):
        return False
    return "@__quantum__" in text or _BEGINS.search(text, 0, _HEAD_LENGTH) is not None


def is_bitcode(source: Any) -> bool:
    """Whether these are bytes of LLVM bitcode."""
    return isinstance(source, bytes | bytearray) and bytes(source[:4]) in BITCODE_MARKS


def is_module(source: Any) -> bool:
    """Whether it is pyqir's Module or SimpleModule."""
    native = type(source).__name__ == "Module" and all(
        hasattr(type(source), name) for name in ("bitcode", "functions", "source_filename", "verify")
    )
    return native or (comes_from(source, "pyqir") and hasattr(source, "ir"))


def read_module(source: Any) -> Circuit:
    """Reads pyqir's Module or SimpleModule. Raises as `read_qir`."""
    return read_qir(source.ir() if hasattr(source, "ir") else str(source), "<pyqir>")


def read_bitcode(data: bytes, name: str = "<bitcode>") -> Circuit:
    """Reads LLVM bitcode. LLVM, which may stop its process on malformed input, gets one of its own.

    Raises:
        MissingExtraError: pyqir is not installed.
        SyntaxReadError, UnsupportedError: as `read_qir`.
    """
    try:
        import pyqir
    except ImportError as problem:
        raise MissingExtraError("reading bitcode", package="pyqir", extra="qir") from problem
    folder = str(Path(str(pyqir.__file__)).parents[1])
    rule = "LLVM bitcode that pyqir's LLVM reads"
    try:
        child = subprocess.run(
            [sys.executable, "-I", "-c", _CHILD, folder],
            input=bytes(data),
            capture_output=True,
            timeout=BITCODE_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnsupportedError(
            f"LLVM takes longer than {BITCODE_SECONDS_MAX:g} seconds", source=name, rule=rule
        ) from None
    except OSError as problem:
        raise UnsupportedError(
            f"no process could be started to read bitcode: {problem}",
            source=name,
            rule=rule,
            hint="llvm-dis writes it as text, which is read without",
        ) from problem
    if child.returncode != 0:
        told = child.stderr.decode("utf-8", "replace")[:200] if child.returncode == 3 else "its reader failed"
        raise SyntaxReadError(f"LLVM does not read this bitcode: {told}", source=name, rule=rule)
    return read_qir(child.stdout.decode("utf-8", "replace"), name)


__all__ = ["is_bitcode", "is_module", "is_qir", "read_bitcode", "read_module", "read_qir"]
