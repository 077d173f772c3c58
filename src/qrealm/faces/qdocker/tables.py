"""Listings in Docker's manner: columns three spaces apart, ``--format json`` a line each, templates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial

from qrealm.faces.qdocker.terminal import write

TABLE = "table"
JSON = "json"
_GAP = "   "

Row = Mapping[str, str]
Labels = Mapping[str, str]


def write_listing(
    rows: Sequence[Row],
    columns: Mapping[str, str],
    wanted: str,
    *,
    headings: Mapping[str, str] | None = None,
    labels: Sequence[Labels] | None = None,
) -> None:
    """Rows as `--format` says.

    Args:
        rows: every field of every row, as text.
        columns: fields of the plain table and their headings, in order.
        wanted: ``"table"``, ``"json"``, a template such as ``"{{.Name}} {{.Status}}"``, or ``"table
        TEMPLATE"``.
        headings: of the fields that a template may name besides.
        labels: of every row, for ``{{.Label "key"}}``; None where rows have none.

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
    # Loaded on use: most listings have none.
    from qrealm.faces.qdocker.template_actions import no_field
    from qrealm.faces.qdocker.templates import Template

    tabular = wanted.startswith("table ")
    template = Template(wanted.removeprefix("table ") if tabular else wanted)
    # Checked also where there is no row.
    names = {**(headings or {}), **columns}
    for name in sorted(template.fields - names.keys()):
        raise no_field(name, sorted(names))
    told = []
    for index, row in enumerate(rows):
        methods = {"Label": partial(_label, labels[index])} if labels is not None else {}
        told.append(template.filled(row, methods))
    if tabular:
        heading = template.heading(names, {} if labels is None else {"Label": _label_heading})
        write_table(heading.split("\t"), [text.split("\t") for text in told])
        return
    for text in told:
        write(text + "\n")


def _label(labels: Labels, key: str) -> str:
    return labels.get(key, "")


def _label_heading(key: str) -> str:
    """As Docker's: the last part of the key."""
    return key.rpartition(".")[2].replace("-", " ").replace("_", " ")


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
