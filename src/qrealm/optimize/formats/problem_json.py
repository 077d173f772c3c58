"""Problems as JSON or dicts, written and read without loss.

    {"kind": "assignment", "items": [{"name": "web", "demand": {"cpu": 1}}],
     "bins": [{"name": "a", "capacity": {"cpu": 4}}],
     "rules": [{"kind": "apart", "items": ["web", "db"]}], "objective": {"bins": 1}}
    {"kind": "qubo", "linear": [0, 1], "couplings": [[0, 1, -2]], "offset": 0}
    {"kind": "ising", "linear": [0, 1], "couplings": [[0, 1, -2]], "offset": 0}
    {"kind": "maxcut", "nodes": 3, "edges": [[0, 1], [1, 2, 5]]}

Fields of items, bins, rules and objectives are those of the classes of the same names; an objective may also
be one of the words bins, cost, balance, fragmentation. An item or a bin may have a ``count``: so many of it,
numbered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, asdict, fields
from typing import Any

import numpy as np

from qrealm.base.errors import ProblemError, SchemaError, SyntaxReadError
from qrealm.optimize.problems import Assignment, Bin, Ising, Item, MaxCut, Objective, Problem, Qubo, Rule
from qrealm.optimize.problems.assignment import OBJECTIVES
from qrealm.optimize.problems.binary import Couplings

SUFFIXES = (".json",)
COUNT_MAX = 1_000_000
_KINDS = ("assignment", "qubo", "ising", "maxcut")


def read_problem_json(text: str, name: str = "<text>") -> Problem:
    """The problem in a JSON text. Raises SyntaxReadError for broken JSON, SchemaError for wrong content."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as problem:
        raise SyntaxReadError(
            f"this is not JSON: {problem.msg}", source=name, line=problem.lineno, column=problem.colno
        ) from None
    return problem_from_dict(content, name)


def problem_from_dict(content: Any, name: str = "<dict>") -> Problem:
    """The problem in a dict as described above. Raises SchemaError, which says where."""
    if not isinstance(content, Mapping):
        raise SchemaError(f"a problem is a {type(content).__name__}; it must be an object", source=name)
    kind = content.get("kind")
    if kind not in _KINDS:
        raise SchemaError(
            f"kind is {kind!r}; it must be one of {', '.join(_KINDS)}", source=name, rule="at kind"
        )
    readers = {"assignment": _assignment, "qubo": _quadratic, "ising": _quadratic, "maxcut": _maxcut}
    try:
        return readers[kind](content, name)
    except SchemaError:
        raise
    except (ProblemError, TypeError, ValueError, OverflowError) as problem:
        text = problem.message if isinstance(problem, ProblemError) else str(problem)
        raise SchemaError(text, source=name) from problem


def problem_to_dict(problem: Problem) -> dict[str, Any]:
    """A dict that `problem_from_dict` reads back as the same problem."""
    if isinstance(problem, Assignment):
        costs = problem.placement_cost
        return {
            "kind": "assignment",
            "name": problem.name,
            "items": [_without_defaults(item) for item in problem.items],
            "bins": [_without_defaults(place) for place in problem.bins],
            "rules": [_without_defaults(rule) for rule in problem.rules],
            "objective": asdict(problem.objective),
            "may_leave_out": problem.may_leave_out,
            **({} if costs is None else {"placement_cost": costs.tolist()}),
        }
    if isinstance(problem, MaxCut):
        return {
            "kind": "maxcut",
            "name": problem.name,
            "nodes": problem.num_nodes,
            "edges": _triples(problem.edges),
        }
    return {
        "kind": type(problem).__name__.lower(),
        "name": problem.name,
        "linear": problem.linear.tolist(),
        "couplings": _triples(problem.couplings),
        "offset": problem.offset,
    }


def _triples(couplings: Couplings) -> list[list[float]]:
    columns = (couplings.rows.tolist(), couplings.cols.tolist(), couplings.values.tolist())
    return [list(triple) for triple in zip(*columns, strict=True)]


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _without_defaults(value: Item | Bin | Rule) -> dict[str, Any]:
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    kept = {f.name: named[f.name] for f in fields(value) if named[f.name] != _default(f)}
    return {
        key: list(x) if isinstance(x, tuple) else dict(x) if isinstance(x, Mapping) else x
        for key, x in kept.items()
    }


def _only(content: Mapping[str, Any], known: Sequence[str], where: str, source: str) -> None:
    strange = sorted(set(content) - set(known))
    if strange:
        raise SchemaError(
            f"{where} has the unknown field {strange[0]!r}; it may have {', '.join(known)}",
            source=source,
            rule=f"at {where}",
        )


def _rows(kind: type, content: Any, where: str, source: str) -> list[Any]:
    """Items, bins or rules; a `count` repeats one under numbered names."""
    if not isinstance(content, Sequence) or isinstance(content, str):
        raise SchemaError(
            f"{where} is a {type(content).__name__}; it must be a list", source=source, rule=f"at {where}"
        )
    known = [field.name for field in fields(kind)]
    made = []
    for number, row in enumerate(content):
        place = f"{where}[{number}]"
        if not isinstance(row, Mapping):
            raise SchemaError(
                f"{place} is a {type(row).__name__}; it must be an object", source=source, rule=f"at {place}"
            )
        _only(row, known if kind is Rule else [*known, "count"], place, source)
        values = {key: value for key, value in row.items() if key != "count"}
        missing = [
            f.name
            for f in fields(kind)
            if f.default is MISSING and f.default_factory is MISSING and f.name not in values
        ]
        if missing:
            raise SchemaError(f"{place} lacks the field {missing[0]!r}", source=source, rule=f"at {place}")
        count = row.get("count", 1)
        if not isinstance(count, int) or not 0 <= count <= COUNT_MAX:
            raise SchemaError(
                f"{place}.count is {count!r}; it must be from 0 to {COUNT_MAX:,}", source=source
            )
        try:
            if "count" in row:
                made += [kind(**{**values, "name": f"{values['name']}-{copy}"}) for copy in range(count)]
            else:
                made.append(kind(**values))
        except (ProblemError, TypeError, AttributeError) as problem:
            text = problem.message if isinstance(problem, ProblemError) else str(problem)
            raise SchemaError(f"{place}: {text}", source=source, rule=f"at {place}") from problem
    return made


def _assignment(content: Mapping[str, Any], source: str) -> Assignment:
    _only(
        content,
        ("kind", "name", "items", "bins", "rules", "objective", "may_leave_out", "placement_cost"),
        "the problem",
        source,
    )
    leave_out = content.get("may_leave_out", False)
    if not isinstance(leave_out, bool):
        raise SchemaError(f"may_leave_out is {leave_out!r}; it must be true or false", source=source)
    return Assignment(
        tuple(_rows(Item, content.get("items", []), "items", source)),
        tuple(_rows(Bin, content.get("bins", []), "bins", source)),
        tuple(_rows(Rule, content.get("rules", []), "rules", source)),
        objective=_objective(content.get("objective", "bins"), source),
        may_leave_out=leave_out,
        placement_cost=content.get("placement_cost"),
        name=str(content.get("name", source)),
    )


def _objective(content: Any, source: str) -> Objective:
    if isinstance(content, Mapping):
        _only(content, [field.name for field in fields(Objective)], "objective", source)
        return Objective(**content)
    if content not in OBJECTIVES:
        raise SchemaError(
            f"objective is {content!r}; it must be one of {', '.join(OBJECTIVES)}, or an object of weights",
            source=source,
            rule="at objective",
        )
    return OBJECTIVES[content]


def _quadratic(content: Mapping[str, Any], source: str) -> Qubo | Ising:
    _only(content, ("kind", "name", "linear", "couplings", "offset"), "the problem", source)
    kind: type[Qubo] | type[Ising] = Qubo if content["kind"] == "qubo" else Ising
    linear = np.asarray(content.get("linear", []), dtype=np.float64)
    rows, cols, values = _ends(content.get("couplings", []), "couplings", source)
    named = str(content.get("name", source))
    return kind.from_parts(linear, rows, cols, values, offset=float(content.get("offset", 0.0)), name=named)


def _maxcut(content: Mapping[str, Any], source: str) -> MaxCut:
    _only(content, ("kind", "name", "nodes", "edges"), "the problem", source)
    nodes = content.get("nodes")
    if not isinstance(nodes, int) or nodes < 0:
        raise SchemaError(f"nodes is {nodes!r}; it must be a whole number", source=source, rule="at nodes")
    rows, cols, values = _ends(content.get("edges", []), "edges", source, weight=1.0)
    return MaxCut.build(nodes, rows, cols, values, name=str(content.get("name", source)))


def _ends(
    content: Any, where: str, source: str, weight: float | None = None
) -> tuple[list[int], list[int], list[float]]:
    """``[i, j, weight]`` triples as three columns; pairs too where there is a weight for them."""
    rows, cols, values = [], [], []
    for number, entry in enumerate(content):
        length = len(entry) if isinstance(entry, Sequence) and not isinstance(entry, str) else 0
        if length not in ((3,) if weight is None else (2, 3)) or not all(
            isinstance(end, int) for end in entry[:2]
        ):
            raise SchemaError(
                f"{where}[{number}] is {entry!r:.60}; it must be [i, j, weight]",
                source=source,
                rule=f"at {where}[{number}]",
            )
        rows.append(entry[0])
        cols.append(entry[1])
        values.append(float(entry[2]) if length == 3 else float(weight or 0.0))
    return rows, cols, values
