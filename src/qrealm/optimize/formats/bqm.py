"""Binary quadratic models of dimod: its JSON, its COO text, and the objects themselves.

Bits become a Qubo, spins an Ising, with the same energies. Variables are counted in the order in which the
model has them, but where its labels are 0 to n - 1 by these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from qrealm.base.errors import ProblemError, SyntaxReadError
from qrealm.optimize.problems import Ising, Qubo
from qrealm.optimize.problems.binary import VARIABLES_MAX

SUFFIXES = (".bqm", ".coo")
# What dimod writes into each of its JSON files, and nobody else into theirs.
IS_MODEL = '"BinaryQuadraticModel"'
VARTYPE = re.compile(r"#\s*vartype\s*=\s*(SPIN|BINARY)\s*$")


def read_bqm(text: str, name: str = "<text>") -> Ising | Qubo:
    """The model in a file of dimod: JSON (``BinaryQuadraticModel.to_serializable``) or COO text.

    Raises SyntaxReadError, with the line where there is one.
    """
    return _read_json(text, name) if text.lstrip().startswith("{") else _read_coo(text, name)


def from_dimod(model: Any, *, name: str = "") -> Ising | Qubo:
    """The problem of a ``dimod.BinaryQuadraticModel``, which needs no dimod here. Raises ProblemError for
    what is no such model."""
    try:
        kind, offset = model.vartype.name, float(model.offset)
        linear = {label: float(bias) for label, bias in model.linear.items()}
        terms = {pair: float(bias) for pair, bias in model.quadratic.items()}
    except AttributeError:
        raise ProblemError(
            f"from_dimod got a {type(model).__name__}; it takes a dimod.BinaryQuadraticModel"
        ) from None
    labels = list(linear)
    index = index_of(labels)
    biases = np.zeros(len(labels))
    biases[[index[label] for label in labels]] = list(linear.values())
    pairs = {(index[first], index[second]): bias for (first, second), bias in terms.items()}
    return _problem(kind, biases, pairs, offset, name)


def index_of(labels: Sequence[Hashable]) -> dict[Hashable, int]:
    """Which variable of the problem each label is."""
    count = len(labels)
    plain = all(isinstance(label, int) and not isinstance(label, bool) for label in labels)
    if plain and set(labels) == set(range(count)):
        return {label: label for label in labels if isinstance(label, int)}
    return {label: number for number, label in enumerate(labels)}


def _problem(
    kind: str, linear: np.ndarray, terms: Mapping[tuple[int, int], float], offset: float, name: str
) -> Ising | Qubo:
    if kind == "SPIN":
        return Ising.build(linear, terms, offset=offset, name=name)
    if kind != "BINARY":
        raise ProblemError(f"a model has variables of type {kind!r}; SPIN and BINARY can be read")
    diagonal = {(number, number): float(bias) for number, bias in enumerate(linear)}
    return Qubo.build(len(linear), diagonal | dict(terms), offset=offset, name=name)


def _read_json(text: str, name: str) -> Ising | Qubo:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as fault:
        raise SyntaxReadError(fault.msg, source=name, line=fault.lineno, column=fault.colno) from None
    try:
        if document["type"] != "BinaryQuadraticModel":
            raise SyntaxReadError(
                f"type is {document['type']!r}; it must be BinaryQuadraticModel", source=name
            )
        if document.get("use_bytes"):
            raise SyntaxReadError(
                "biases are bytes; only numbers can be read", source=name, hint="write it without use_bytes"
            )
        labels = [tuple(label) if isinstance(label, list) else label for label in document["variable_labels"]]
        index = list(index_of(labels).values())
        biases = np.zeros(len(labels))
        biases[index] = np.array(document["linear_biases"], dtype=np.float64)
        heads, tails = document["quadratic_head"], document["quadratic_tail"]
        strengths = [float(bias) for bias in document["quadratic_biases"]]
        pairs = [(index[first], index[second]) for first, second in zip(heads, tails, strict=True)]
        terms = dict(zip(pairs, strengths, strict=True))
        return _problem(document["variable_type"], biases, terms, float(document["offset"]), name)
    except (KeyError, TypeError, ValueError, IndexError) as fault:
        if isinstance(fault, SyntaxReadError | ProblemError):
            raise
        raise SyntaxReadError(
            f"this is no BinaryQuadraticModel as dimod writes it: {type(fault).__name__} {fault}", source=name
        ) from None


def _read_coo(text: str, name: str) -> Ising | Qubo:
    kind = ""
    terms: dict[tuple[int, int], float] = {}
    linear: dict[int, float] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if line.startswith("#"):
            found = VARTYPE.match(line.strip())
            kind = found.group(1) if found else kind
            continue
        first, second, bias = _entry(line, number, name)
        if first == second:
            linear[first] = linear.get(first, 0.0) + bias
        else:
            terms[first, second] = terms.get((first, second), 0.0) + bias
    if not kind:
        raise SyntaxReadError(
            "no line says what the variables are", source=name, hint="begin with '# vartype=SPIN' or =BINARY"
        )
    count = 1 + max([*linear, *(end for pair in terms for end in pair)], default=-1)
    biases = np.zeros(count)
    biases[list(linear)] = list(linear.values())
    return _problem(kind, biases, terms, 0.0, name)


def _entry(line: str, number: int, name: str) -> tuple[int, int, float]:
    words = line.split()
    if len(words) == 3 and words[0].isdecimal() and words[1].isdecimal():
        try:
            first, second, bias = int(words[0]), int(words[1]), float(words[2])
        except ValueError:
            bias = float("nan")
        if np.isfinite(bias) and max(first, second) < VARIABLES_MAX:
            return first, second, bias
    raise SyntaxReadError(
        f"{line.strip()[:60]!r} stands where two variables and a bias must",
        source=name,
        line=number,
        column=1,
    )
