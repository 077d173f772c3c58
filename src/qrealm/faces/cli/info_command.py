"""`qrealm info`: what this machine can do."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from qrealm.base.units import format_gib
from qrealm.control import local
from qrealm.faces.cli.arguments import PlainFormat
from qrealm.faces.cli.terminal import fact_table, write_json, write_table


def info(
    output: Annotated[PlainFormat, typer.Option("--format", help="How to print.")] = PlainFormat.TABLE,
) -> None:
    """Show cores, vector instructions, memory and GPUs, and every backend: the largest circuit it takes, and
    what it lacks.

    [bold]Examples[/bold]

      qrealm info

      qrealm info --format json
    """
    found = local.hardware()
    if output is PlainFormat.JSON:
        write_json({"version": local.installed_version(), **asdict(found)})
        return
    gpus = [
        f"{gpu.name}" + (f", {format_gib(gpu.memory_bytes)}" if gpu.memory_bytes else "")
        for gpu in found.gpus
    ]
    rows = [
        ("qrealm", local.installed_version()),
        ("system", f"{found.system}, {found.architecture}"),
        ("processor", found.processor),
        ("cores", f"{found.cores} usable of {found.cores_total}"),
        ("vector instructions", ", ".join(found.vector_instructions) or "none that are known"),
        (
            "memory",
            f"{format_gib(found.memory_available_bytes)} available of {format_gib(found.memory_total_bytes)}",
        ),
        ("GPUs", "; ".join(gpus) or "none found"),
    ]
    for backend in found.backends:
        rows += _about(backend)
    write_table(fact_table(rows))


def _about(backend: local.BackendInfo) -> list[tuple[str, str]]:
    """What a backend is, the largest circuit it takes, and what it lacks."""
    largest = ", ".join(f"{qubits} in {name} precision" for name, qubits in backend.qubits_max.items())
    meaning = "qubits, fully entangled" if backend.memory_bound else "qubits, whatever the memory"
    rows = [
        (f"backend {backend.name}", backend.summary),
        ("  largest circuit", f"{largest} ({meaning})"),
    ]
    if backend.instruction_sets:
        rows.append(("  compiled for", f"{', '.join(backend.instruction_sets)} (the first is used)"))
    if backend.device:
        rows.append(("  device", backend.device))
    if backend.missing:
        rows.append(("  missing", f'{backend.missing}: pip install "qrealm[{backend.extra}]"'))
    return rows
