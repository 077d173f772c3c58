"""What the kernel refuses, and how it stops."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from qrealm import _kernels
from reference.processes import wait_for_work
from reference.random_circuits import CircuitBuilder, random_circuit
from unit.kernel.kernel_grid import evolved, plan


def arrays(**changes: object) -> dict[str, object]:
    """A valid Bell circuit with some fields replaced."""
    fields: dict[str, object] = {
        "num_qubits": 2,
        "codes": np.array([4, 1], np.uint8),
        "num_controls": np.array([0, 1], np.uint8),
        "qubit_offsets": np.array([0, 1, 3], np.int32),
        "qubits": np.array([0, 0, 1], np.int32),
        "param_offsets": np.array([0, 0, 0], np.int32),
        "params": np.zeros(0),
        "matrices": [],
    }
    return {**fields, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"num_qubits": 0},
        {"num_qubits": 63},
        {"codes": np.array([4, 99], np.uint8)},
        {"codes": np.array([4, 11], np.uint8)},
        {"num_controls": np.array([0, 2], np.uint8)},
        {"num_controls": np.array([0], np.uint8)},
        {"qubits": np.array([0, 0, 2], np.int32)},
        {"qubits": np.array([0, -1, 1], np.int32)},
        {"qubits": np.array([0, 1, 1], np.int32)},
        {"qubit_offsets": np.array([0, 2, 1], np.int32)},
        {"qubit_offsets": np.array([1, 1, 3], np.int32)},
        {"matrices": [np.eye(3, dtype=complex)]},
        {"matrices": [np.eye(128, dtype=complex)]},
    ],
)
def test_broken_arrays_are_refused(changes: dict[str, object]) -> None:
    def run() -> None:
        _kernels.run_counts(_kernels.plan(**arrays(**changes), single=True), 10, 1, 1)

    with pytest.raises(ValueError, match=r"op arrays|matrix"):
        run()


def test_a_matrix_index_is_checked() -> None:
    for index in (-1.0, 1.0, float("nan"), 1e300):
        broken = arrays(
            codes=np.array([22], np.uint8),
            num_controls=np.array([0], np.uint8),
            qubit_offsets=np.array([0, 1], np.int32),
            qubits=np.array([0], np.int32),
            param_offsets=np.array([0, 1], np.int32),
            params=np.array([index]),
            matrices=[np.eye(2, dtype=complex)],
        )
        with pytest.raises(ValueError, match=r"op arrays: (matrix index|parameter)"):
            _kernels.run_counts(_kernels.plan(**broken, single=True), 1, 1, 1)


def test_unknown_instruction_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown instruction set"):
        _kernels.StateVector(2, True, "sse9")


def test_states_check_what_they_are_given() -> None:
    state = evolved(random_circuit(1, 3, num_ops=5), single=True)
    other = plan(CircuitBuilder(2).add("H", [0]).build(), single=True)
    with pytest.raises(ValueError, match="differ in qubits"):
        state.apply(other, 1)
    with pytest.raises(ValueError, match="out of range"):
        state.amplitudes(np.array([8], np.uint64))
    with pytest.raises(ValueError, match="out of range"):
        state.probabilities([3], 1)
    with pytest.raises(ValueError, match="out of range"):
        state.collapse(-1, True, 1)
    with pytest.raises(ValueError, match="amplitudes"):
        state.load(np.zeros(4, np.complex64), 1)


def test_a_state_that_no_machine_holds_is_a_memory_error() -> None:
    """It is planned, so that its size can be told, and refused when it is to run."""
    builder = CircuitBuilder(50)
    for q in range(50):
        builder.add("RX", [q], params=[0.3])
    for q in range(50):
        builder.add("RZZ", [q, (q + 1) % 50], params=[0.5])
    for q in range(50):
        builder.add("RX", [q], params=[0.3])
    made = plan(builder.build(), single=True)
    assert made.describe()["state_bytes"] == 8 << 50
    with pytest.raises(MemoryError, match="more than any machine"):
        _kernels.run_counts(made, 1, 1, 1)
    with pytest.raises(MemoryError, match="more than any machine"):
        _kernels.StateVector(50, False)
    state = _kernels.StateVector(34, False)
    with pytest.raises(MemoryError, match="refused"):
        state.apply(plan(CircuitBuilder(34).add("H", [0]).build(), single=False), 1)


def test_angles_that_mean_nothing_are_refused() -> None:
    for angle in (float("nan"), float("inf"), 1e300):
        with pytest.raises(ValueError, match="not finite, or larger"):
            _kernels.run_counts(
                plan(CircuitBuilder(1).add("RX", [0], params=[angle]).build(), single=True), 1, 1, 1
            )


LONG_RUN = """
import sys
from qrealm import _kernels
from reference.random_circuits import CircuitBuilder, random_circuit
from unit.kernel.kernel_grid import plan
shots = 10
if sys.argv[1] == "gates":
    made = plan(random_circuit(1, 22, num_ops=20000, names=["U", "RX", "X"], controls_max=1), single=False)
else:
    shots = 2 * 10**8
    made = plan(CircuitBuilder(13).add("H", [0]).add("RX", [1], params=[1.0]).build(), single=True)
def threads():
    with open("/proc/self/status") as status:
        return [line for line in status if line.startswith("Threads")][0].split()[1]
before = threads()
print("ready", flush=True)
try:
    _kernels.run_counts(made, shots, 1, 2)
except KeyboardInterrupt:
    print(before, threads())
    sys.exit(130)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
@pytest.mark.parametrize("work", ["gates", "shots"])
def test_ctrl_c_stops_a_long_run_and_leaves_no_thread(work: str) -> None:
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    command = [sys.executable, "-c", LONG_RUN, work]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        wait_for_work(process.pid, 0.5)
        assert process.poll() is None, "the run ended before it could be interrupted"
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
        # The bound of the project is one second; the machine may be busy with other tests.
        assert time.monotonic() - sent < 30
        assert process.returncode == 130
        before, after = printed.split()
        assert after == before
