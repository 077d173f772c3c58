"""One door for problems in files: the suffix says the format; ``.gz`` around any of them is unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qrealm.base.errors import SourceFileError, SourceKindError
from qrealm.optimize.formats import problem_json, vbp
from qrealm.optimize.problems import Problem

# A problem of a million items is some 100 MB of JSON.
BYTES_MAX = 2**31


@dataclass(frozen=True, slots=True)
class ProblemFormat:
    """One format.

    Attributes:
        suffixes: of its files. read: from text and the name that errors show. help: one line.
    """

    suffixes: tuple[str, ...]
    read: Callable[[str, str], Problem]
    help: str


FORMATS: dict[str, ProblemFormat] = {
    "json": ProblemFormat(problem_json.SUFFIXES, problem_json.read_problem_json, "any problem"),
    "vbp": ProblemFormat(vbp.SUFFIXES, vbp.read_vbp, "vector bin packing"),
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
    stem = path.name.removesuffix(".gz")
    for kind in FORMATS.values():
        if stem.lower().endswith(kind.suffixes):
            return kind
    known = ", ".join(suffix for kind in FORMATS.values() for suffix in kind.suffixes)
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
