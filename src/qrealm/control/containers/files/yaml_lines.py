"""YAML to plain values, with the line of every key.

Scalars are read by the core schema of YAML 1.2, as Compose reads them: `no` and `22:22` are text, not false
and 1342. Anchors, aliases and merge keys work; a key that stands twice in one mapping is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

from qrealm.control.containers.files.problems import Path, Problem, key_text, raise_problems

NODES_MAX = 100_000
"""Aliases of aliases can make a small file endless; no sensible file has so many values."""
TEXT = "tag:yaml.org,2002:str"


FLOAT = (
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)\.[0-9]*)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?(?:0|[1-9][0-9]*)[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


class CoreLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """PyYAML's safe loader with the implicit types of YAML 1.2."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        FLOAT,
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
    )


class Substituted(str):
    """Text that came from a variable: it may stand where a number is wanted, as in Compose."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A file that has been read.

    Attributes:
        data: dict, list and scalars; None for an empty file.
        lines: line of each key and list entry, from 1.
        problems: what is wrong already, and to be told with all else that is: a key twice, of which the last
            holds, or a variable.
    """

    filename: str
    data: Any
    lines: dict[Path, int] = field(repr=False)
    problems: tuple[Problem, ...] = ()

    def line(self, path: Path) -> int | None:
        """Where `path` stands, or the nearest thing that it is in."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def place(self, path: Path) -> str:
        """Where `path` stands, as ``"shop.yaml:6: entangle[0].between"``."""
        where = ":".join(str(part) for part in (self.filename, self.line(path)) if part)
        return f"{where}: {key_text(path)}"

    def problem(self, path: Path, what: str, hint: str = "") -> Problem:
        """Something wrong with what stands at `path`."""
        key = key_text(path)
        return Problem(self.line(path), key, f"{key}: {what}" if key else what, hint)


def read_yaml(text: str, filename: str, substitute: Callable[[str], str] | None = None) -> Document:
    """Read one document.

    Args:
        text: of the file.
        filename: for messages.
        substitute: applied to every text value; raises ValueError with what is wrong.

    Raises:
        ConfigError: broken YAML, or several documents.
    """
    try:
        loader = CoreLoader(text)
        try:
            root = loader.get_single_node()
            walk = _Walk(loader, substitute)
            data = walk.value(root, ()) if root is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        words = ": ".join(part for part in (problem.context, problem.problem) if part)
        raise_problems(filename, [Problem(mark.line + 1 if mark else None, "", f"YAML: {words}")])
        raise
    except yaml.reader.ReaderError as problem:
        line = text.count("\n", 0, problem.position) + 1
        what = f"YAML: the character {chr(problem.character)!r} is not allowed"
        raise_problems(filename, [Problem(line, "", what)])
        raise
    except RecursionError:
        raise_problems(filename, [Problem(None, "", "YAML: it is nested too deep")])
        raise
    return Document(filename, data, walk.lines, tuple(walk.problems))


class _Walk:
    """Turns nodes into values, noting lines and problems on the way."""

    def __init__(self, loader: CoreLoader, substitute: Callable[[str], str] | None) -> None:
        self._loader = loader
        self._substitute = substitute
        self._inside: set[int] = set()
        self._seen_doubles: set[int] = set()
        self._count = 0
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._count += 1
        self.lines.setdefault(path, node.start_mark.line + 1)
        if self._count > NODES_MAX:
            raise yaml.MarkedYAMLError(
                problem=f"more than {NODES_MAX:,} values", problem_mark=node.start_mark
            )
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._inside:
            raise yaml.MarkedYAMLError(problem="an alias inside its own anchor", problem_mark=node.start_mark)
        self._inside.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._inside.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        try:
            value = self._loader.construct_object(node)
        except ValueError as problem:
            raise yaml.MarkedYAMLError(problem=str(problem), problem_mark=node.start_mark) from None
        if not isinstance(value, str) or self._substitute is None or "$" not in value:
            return value
        try:
            replaced = self._substitute(value)
        except ValueError as problem:
            self._note(node, path, str(problem))
            return value
        return Substituted(replaced)

    def _mapping(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        self._refuse_doubles(node, path)
        # This puts what a merge key brings first; the mapping's own keys come last and win.
        self._loader.flatten_mapping(node)
        data: dict[str, Any] = {}
        for key, item in node.value:
            if key.tag != TEXT:
                self._note(key, path, f"the key {key.value!r} is no text; put it in quotes")
                continue
            place = (*path, key.value)
            self.lines[place] = key.start_mark.line + 1
            data[key.value] = self.value(item, place)
        return data

    def _refuse_doubles(self, node: yaml.Node, path: Path) -> None:
        # Seen again through an alias a mapping has been flattened, and holds what it merged beside its own.
        if id(node) in self._seen_doubles:
            return
        self._seen_doubles.add(id(node))
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be text", problem_mark=key.start_mark)
            if key.value in seen:
                what = f"stands twice; first in line {seen[key.value]}"
                self._note(key, (*path, key.value), what)
            seen.setdefault(key.value, key.start_mark.line + 1)

    def _note(self, node: yaml.Node, path: Path, what: str) -> None:
        key = key_text(path)
        self.problems.append(Problem(node.start_mark.line + 1, key, f"{key}: {what}" if key else what))
