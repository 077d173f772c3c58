"""From words on the command line to values."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from qrealm.base.errors import SourceFileError
from qrealm.circuits import Circuit, read
from qrealm.circuits.read import read_text

STDIN = "-"


class OutputFormat(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class PlainFormat(StrEnum):
    """How single records are printed."""

    TABLE = "table"
    JSON = "json"


class PrecisionChoice(StrEnum):
    """What `--precision` may be."""

    AUTO = "auto"
    SINGLE = "single"
    DOUBLE = "double"


class BitOrderChoice(StrEnum):
    """What `--bit-order` may be."""

    LITTLE = "little"
    BIG = "big"


def read_source(name: str) -> Circuit:
    """The circuit in a file, or on stdin for ``-``. Raises ReadError."""
    if name != STDIN:
        return read(Path(name))
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as problem:
        raise SourceFileError(
            f"stdin is not UTF-8 text: {problem.reason} at byte {problem.start}", source="<stdin>"
        ) from problem
    return read_text(text, "<stdin>")


def title_of(name: str) -> str:
    """What a source is called in tables."""
    return "<stdin>" if name == STDIN else name


def numbered_path(path: Path, name: str, several: bool) -> Path:
    """Where a file's own output goes: `path` itself, or with the source's stem when there are several
    sources."""
    if not several:
        return path
    stem = "stdin" if name == STDIN else Path(name).stem
    return path.with_name(f"{path.stem}-{stem}{path.suffix}")


def spread_values(arguments: Sequence[str], option: str) -> list[str]:
    """Let one option take several values: ``--qubits 5 10`` becomes ``--qubits 5 --qubits 10``.

    The values go on as long as they are numbers, so a file name or the next option ends them.
    """
    spread: list[str] = []
    inside = first = False
    for word in arguments:
        if word == option:
            inside = first = True
            spread.append(word)
        elif inside and word.lstrip("-").isdigit():
            if not first:
                spread.append(option)
            spread.append(word)
            first = False
        else:
            inside = False
            spread.append(word)
    return spread
