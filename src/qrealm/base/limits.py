"""Every limit that qrealm sets itself, each with the reason for its value."""

from __future__ import annotations

from typing import Final

QUBITS_MAX: Final = 62
"""A basis index of all qubits is one 64-bit word in the kernel, which keeps two bits to spare."""

SHOTS_MAX: Final = 2**40
"""Counts are int64, and memory sets the limit long before this one; beyond 10^12 shots the error of a
frequency is below 1e-6, so a larger number is a mistake in the request."""

SHOT_BYTES: Final = 40
"""Memory per shot while samples are drawn, sorted and counted, measured with 10^8 shots. It counts in a
plan."""

SHOTS_UNCHECKED: Final = 2**20
"""Up to this many shots (40 MiB) a small run does not ask the machine how much memory is available."""

SHOTS_DEFAULT: Final = 1024
"""What Qiskit and most teaching material use."""

MEMORY_SHARE_MAX: Final = 0.95
"""Share of the available memory that one run may take: the rest is for the interpreter, the page tables of
the state (0.2 % with 4 KiB pages) and whatever else the machine does while the run lasts."""

MEMORY_UNCHECKED_BYTES: Final = 64 * 1024**2
"""Runs below this size do not ask the machine how much memory is available. Asking costs about as much as the
whole run of a 10-qubit circuit, and a machine with less than 64 MiB left cannot hold the interpreter's own
needs.
"""

RUN_OVERHEAD_BYTES: Final = 32 * 1024**2
"""What a run takes beside its states: plan tables, sampling sums and thread stacks."""

BRANCHES_EXACT_MAX: Final = 4096
"""Exact results (shots=0) of a circuit that measures half-way follow every outcome; twelve fair coin flips
are 4096 branches. Beyond, sampling with shots tells more per second."""

BRANCH_COPIES_MAX: Final = 64
"""State copies held at once along one path of measurements. More depth re-runs from the start instead: a copy
saves time only while it stays cheaper than the memory it takes from everything else on the machine."""

BRANCH_COPIES_SHARE_MAX: Final = 0.5
"""Share of the available memory that branch copies may take; beyond it a branch is run again from the
start."""

SERIAL_QUBITS_MAX: Final = 13
"""Up to this many qubits one thread is used unless the caller says otherwise: a state of 2^13 amplitudes (64
KiB in single precision) fits in the inner caches of one core, and waking a second thread costs longer than a
gate takes.
"""

BATCH_FILES_MAX: Final = 100_000
"""Files that one `qrealm run` accepts; a longer list is a pattern gone wrong."""

CALIBRATION_SECONDS_MAX: Final = 1.0
"""Time that the one-off measurement of this machine may take before the first estimate."""
