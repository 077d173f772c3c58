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
    """Show cores, vector instructions, memory, the largest number of qubits, and GPUs."""
    found = local.hardware()
    if output is PlainFormat.JSON:
        write_json({"version": local.installed_version(), **asdict(found)})
        return
    gpus = [
        f"{gpu.name}" + (f", {format_gib(gpu.memory_bytes)}" if gpu.memory_bytes else "")
        for gpu in found.gpus
    ]
    unused = " (no backend of this version uses them)" if gpus else ""
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
        ("GPUs", "; ".join(gpus) + unused if gpus else "none found"),
    ]
    for backend in found.backends:
        largest = ", ".join(f"{qubits} in {name} precision" for name, qubits in backend.qubits_max.items())
        kernels = ", ".join(backend.instruction_sets)
        rows += [
            (f"backend {backend.name}", backend.summary),
            ("  largest circuit", f"{largest} (qubits, fully entangled)"),
            ("  compiled for", f"{kernels} (the first is used)"),
        ]
    write_table(fact_table(rows))
