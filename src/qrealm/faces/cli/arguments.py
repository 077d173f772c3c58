"""From words on the command line to values."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from qrealm.base.errors import ChannelError, RequestError, SchemaError, SourceFileError
from qrealm.circuits import Circuit, read
from qrealm.circuits.noise import depolarizing
from qrealm.circuits.noise.model import NoiseModel
from qrealm.circuits.read import read_text

STDIN = "-"
_NOISE_HINT = "write it with json.dumps(noise_model.to_dict())"

BackendOption = Annotated[
    str,
    typer.Option(metavar="NAME", help="Where to run; `qrealm info` lists them. auto: the fastest that fits."),
]
NoiseOption = Annotated[
    Path | None, typer.Option(help="Noise model: JSON of NoiseModel.to_dict().", show_default=False)
]
DepolarizingOption = Annotated[
    float | None,
    typer.Option(
        metavar="P",
        help="After every gate replace its qubits by the maximally mixed state with probability P: of a gate "
        "on one qubit or two together, of a wider gate each qubit by itself. From 0 to 1; the largest "
        "physical value is 16/15, where the identity never occurs on two qubits.",
        show_default=False,
    ),
]

SOURCES = "OpenQASM 2, OpenQASM 3, JSON or QIR; - reads stdin."
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help=SOURCES)]
ThreadsOption = Annotated[
    int | None, typer.Option(help="Threads of the run.", show_default="by circuit size")
]
ShotsOption = Annotated[int, typer.Option(help="Samples to draw; 0 for none.")]
ObservableOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PAULIS", help='Pauli sum whose exact value to print, such as "Z0 Z1 + 0.5 X2"; repeatable.'
    ),
]
SampledOption = Annotated[
    bool, typer.Option("--sampled", help="Estimate the observables from shots, with standard errors.")
]
AccuracyOption = Annotated[
    float,
    typer.Option(
        metavar="SHARE", help="Share of the state that an approximation may lose for auto to choose it."
    ),
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A number for an open parameter, angles in radians; repeatable."),
]


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


def read_noise(path: Path | None, depolarizing_probability: float | None) -> NoiseModel | None:
    """The noise of ``--noise FILE`` or ``--depolarizing P``; None where neither was given.

    Raises:
        RequestError: both were given.
        SourceFileError: the file cannot be read.
        SchemaError: it is no JSON, or no noise model.
        ChannelError: the noise is not physical.
    """
    if path is None:
        if depolarizing_probability is None:
            return None
        model = NoiseModel(f"depolarizing {depolarizing_probability:g}")
        model.after_gates(depolarizing(depolarizing_probability, 1))
        model.after_gates(depolarizing(depolarizing_probability, 2))
        # A channel on all qubits of a wide gate has 4^n terms: one on each is what every backend can take.
        return model.after_gates(depolarizing(depolarizing_probability, 1), min_qubits=3)
    if depolarizing_probability is not None:
        raise RequestError("--noise and --depolarizing were both given", hint="leave one of them out")
    try:
        source = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SourceFileError(
            f"--noise {str(path)!r} cannot be read: {problem.strerror}", source=str(path)
        ) from problem
    except ValueError as problem:
        raise SchemaError(
            f"--noise {str(path)!r} is not JSON: {problem}", source=str(path), hint=_NOISE_HINT
        ) from problem
    try:
        return NoiseModel.from_dict(source)
    except SchemaError as problem:
        raise SchemaError(
            f"--noise {str(path)!r}: {problem.message}", source=str(path), hint=_NOISE_HINT
        ) from problem
    except ChannelError as problem:
        raise ChannelError(f"--noise {str(path)!r}: {problem.message}", hint=problem.hint) from problem


def read_parameters(words: Sequence[str] | None) -> dict[str, float]:
    """The numbers of ``--parameter NAME=VALUE``, by name. Raises RequestError."""
    found: dict[str, float] = {}
    for word in words or ():
        name, sign, value = word.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (name.strip() and sign and math.isfinite(number)):
            raise RequestError(
                f"--parameter got {word!r:.60}; the rule is NAME=VALUE with a finite number",
                hint="for example --parameter theta=0.785398",
            )
        if name.strip() in found:
            raise RequestError(f"--parameter got {name.strip()!r:.40} twice")
        found[name.strip()] = number
    return found


def read_bound(name: str, parameters: Mapping[str, float]) -> Circuit:
    """The circuit of a source with these parameters bound.

    Raises:
        ReadError: it cannot be read.
        ParameterError: it has no parameter of that name.
    """
    circuit = read_source(name)
    return circuit.bind(parameters) if parameters else circuit


def check_asked(
    shots: int, observables: Sequence[str], sampled: bool, state: bool, state_option: str
) -> None:
    """Say in the command line's own words what a request lacks. Raises RequestError."""
    if shots == 0 and not observables and not state:
        raise RequestError(
            "--shots 0 asks for nothing", hint=f"add --observable or {state_option}, or draw shots"
        )
    if sampled and not (observables and shots):
        raise RequestError("--sampled needs --observable, and shots to estimate it from")


def title_of(name: str) -> str:
    """What a source is called in tables."""
    return "<stdin>" if name == STDIN else name


def numbered(names: Sequence[str]) -> list[str]:
    """The names, those that came before with a number: ``bell.qasm``, ``bell.qasm (2)``."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def output_marks(names: Sequence[str]) -> list[str]:
    """What each source adds to the names of its own outputs: nothing when it is the only one, else its stem,
    numbered where it is taken (``a/bell.qasm b/bell.qasm`` give ``-bell`` and ``-bell-2``)."""
    if len(names) == 1:
        return [""]
    taken: set[str] = set()
    marks: list[str] = []
    for name in names:
        stem = "stdin" if name == STDIN else Path(name).stem
        mark, number = stem, 1
        while mark.casefold() in taken:  # file systems of macOS and Windows see no case
            number += 1
            mark = f"{stem}-{number}"
        taken.add(mark.casefold())
        marks.append(f"-{mark}")
    return marks


def marked_path(path: Path, mark: str) -> Path:
    """Where a source's own output goes."""
    return path.with_name(f"{path.stem}{mark}{path.suffix}")


def check_folder(path: Path, option: str) -> None:
    """Make sure, before any work, that a file can be written there. Raises RequestError."""
    folder = path.parent
    if not folder.is_dir():
        raise RequestError(
            f"{option} got {str(path)!r}; there is no folder {str(folder)!r}", hint="make the folder first"
        )
    if path.is_dir() or not os.access(folder, os.W_OK):
        raise RequestError(f"{option} got {str(path)!r}; no file can be written there")


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
