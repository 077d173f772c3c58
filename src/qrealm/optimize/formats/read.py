"""One door for problems in files: the suffix says the format; ``.gz`` around any of them is unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qrealm.base.errors import SourceFileError, SourceKindError
from qrealm.optimize.formats import bqm, gset, problem_json, vbp
from qrealm.optimize.problems import Problem

# A problem of a million items is some 100 MB of JSON.
BYTES_MAX = 2**31
# The G-set's files are called G1, G2 and so on.
NO_SUFFIX = ""


@dataclass(frozen=True, slots=True)
class ProblemFormat:
    """One format.

    Attributes:
        suffixes: of its files. read: from text and the name that errors show. help: one line.
    """

    suffixes: tuple[str, ...]
    read: Callable[[str, str], Problem]
    help: str


def _read_json(text: str, name: str) -> Problem:
    """Ours, or a binary quadratic model as dimod writes it."""
    return (bqm.read_bqm if bqm.IS_MODEL in text else problem_json.read_problem_json)(text, name)


FORMATS: dict[str, ProblemFormat] = {
    "json": ProblemFormat(problem_json.SUFFIXES, _read_json, "any problem; dimod's binary quadratic models"),
    "vbp": ProblemFormat(vbp.SUFFIXES, vbp.read_vbp, "vector bin packing"),
    "gset": ProblemFormat((*gset.SUFFIXES, NO_SUFFIX), gset.read_gset, "graphs to be cut, as the G-set"),
    "bqm": ProblemFormat(bqm.SUFFIXES, bqm.read_bqm, "binary quadratic models: JSON or COO"),
}


def read_problem(path: str | Path) -> Problem:
    """The problem in a file.

    Raises:
        SourceFileError: the file is missing, a folder, too large, or not text.
        SourceKindError: no format has its suffix.
        ReadError: the text breaks the format's rules; it says where.
    """
    place = Path(path)
    kind = format_of(place)
    return kind.read(_text_of(place), place.name)


def format_of(path: Path) -> ProblemFormat:
    """The format of a file by its suffix; a trailing ``.gz`` does not count."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    for kind in FORMATS.values():
        if suffix in kind.suffixes:
            return kind
    known = ", ".join(suffix for kind in FORMATS.values() for suffix in kind.suffixes if suffix)
    raise SourceKindError(
        f"nothing is known of {path.name!r} by its suffix; problems are read from {known}, also with .gz",
        source=path.name,
    )


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
        if path.name.endswith(".gz"):
            unpacker = zlib.decompressobj(wbits=31)
            content = unpacker.decompress(content, BYTES_MAX + 1)
        if len(content) > BYTES_MAX:
            raise SourceFileError(f"{path} holds more than {BYTES_MAX:,} bytes", source=str(path))
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise SourceFileError(f"{path} is not text", source=str(path)) from None
    except zlib.error as problem:
        raise SourceFileError(f"{path} cannot be unpacked: {problem}", source=str(path)) from None
    except OSError as problem:
        raise SourceFileError(f"{path} cannot be read: {problem.strerror}", source=str(path)) from None
