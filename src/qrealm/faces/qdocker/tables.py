"""Listings in Docker's manner: columns three spaces apart, ``--format json`` a line each, simple
templates."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker.terminal import write

TABLE = "table"
JSON = "json"
_GAP = "   "
_FIELD = re.compile(r"\{\{\s*(?:(json)\s+)?\.([\w.\-]*)\s*\}\}")
_ESCAPES = {r"\t": "\t", r"\n": "\n"}

Row = Mapping[str, str]
Fields = Mapping[str, object]


def write_listing(
    rows: Sequence[Row], columns: Mapping[str, str], wanted: str, *, headings: Mapping[str, str] | None = None
) -> None:
    """Rows as `--format` says.

    Args:
        rows: every field of every row, as text.
        columns: fields of the plain table and their headings, in order.
        wanted: ``"table"``, ``"json"``, a template such as ``"{{.Name}} {{.Status}}"``, or ``"table
        TEMPLATE"``. headings: of the fields that a template may name besides.

    Raises:
        RequestError: the template is broken, or names a field that there is not.
    """
    if wanted == TABLE:
        write_table(list(columns.values()), [[row[name] for name in columns] for row in rows])
        return
    if wanted == JSON:
        for row in rows:
            write(json.dumps(row, ensure_ascii=False))
        return
    tabular = wanted.startswith("table ")
    template = read_template(wanted.removeprefix("table ") if tabular else wanted)
    # Checked also where there is no row.
    names = {**(headings or {}), **columns}
    for _, name in _FIELD.findall(template):
        if name and name not in names:
            raise _no_field(name, sorted(names))
    if not tabular:
        for row in rows:
            write(fill(template, row) + "\n")
        return
    header = fill(re.sub(r"\{\{\s*json\s+", "{{", template), names).split("\t")
    write_table(header, [fill(template, row).split("\t") for row in rows])


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest cell, three spaces apart, no lines."""
    lines = [header, *rows]
    widths = [max(len(line[index]) for line in lines if index < len(line)) for index in range(len(header))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        write(_GAP.join(cells).rstrip())


def write_facts(rows: Sequence[tuple[str, str]]) -> None:
    """Names and what they are, in two columns."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        write(f"{name:<{width}}{_GAP}{value}".rstrip())


def fill(template: str, row: Fields) -> str:
    """The template with the row's fields: ``{{.State.Status}}``; ``{{json .}}`` is the whole row and
    ``{{json .Name}}`` a quoted field. Raises RequestError for a field that there is not."""

    def value(match: re.Match[str]) -> str:
        quoted, path = match.groups()
        found: object = row
        for name in path.split(".") if path else ():
            if not isinstance(found, Mapping) or name not in found:
                there = sorted(found) if isinstance(found, Mapping) else []
                raise _no_field(path, there)
            found = found[name]
        return json.dumps(found, ensure_ascii=False) if quoted else _shown(found)

    return _FIELD.sub(value, template)


def read_template(template: str) -> str:
    """The template with its written-out tabs and line ends. Raises RequestError when it is broken."""
    for written, meant in _ESCAPES.items():
        template = template.replace(written, meant)
    rest = _FIELD.sub("", template)
    if "{{" in rest or "}}" in rest:
        raise RequestError(
            f"--format got {template!r:.80}; the rule is text with fields as {{{{.Name}}}}",
            hint='table, json, or for example --format "{{.Names}} {{.Status}}"',
        )
    return template


def _shown(value: object) -> str:
    """As Go prints it."""
    if isinstance(value, str):
        return value
    return "<no value>" if value is None else json.dumps(value, ensure_ascii=False)


def _no_field(name: str, known: Sequence[str]) -> RequestError:
    return RequestError(
        f"--format got the field {name!r:.60}, which there is not",
        hint=f"there are: {', '.join(known)}" if known else "its parent has no fields",
    )
