"""The CUDA kernel's stages, and its own text compiled for the processor, against the dense reference.

The kernel's loops over threads are independent of each other within a loop, so the same source runs with one
thread: what is tested here is every line of it but the launch.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from qrealm.simulate.backends.gpu import tile_kernel
from qrealm.simulate.backends.gpu.fusion import fuse
from qrealm.simulate.backends.gpu.gates import operations
from qrealm.simulate.backends.gpu.options import GPUOptions
from qrealm.simulate.backends.gpu.tiles import (
    LOW_QUBITS,
    MATRIX_QUBITS_MAX,
    TILE_QUBITS,
    Stage,
    encoded,
    plan_stages,
)
from qrealm.simulate.plan.types import Precision
from reference.dense import DenseSimulator
from reference.random_circuits import random_circuit, replayable

TOLERANCE = {Precision.SINGLE: 2e-5, Precision.DOUBLE: 1e-12}


@pytest.fixture(scope="module", params=list(Precision), ids=str)
def precision(request):
    return request.param


@pytest.fixture(scope="module")
def kernel(precision, tmp_path_factory):
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    folder = tmp_path_factory.mktemp("kernel")
    (folder / "stage.cpp").write_text(tile_kernel.source(precision))
    library = folder / "stage.so"
    subprocess.run(
        [compiler, "-O2", "-Wall", "-Werror", "-Wno-unused-variable", "-shared", "-fPIC", "-o", library,
         folder / "stage.cpp"],
        check=True,
    )  # fmt: skip
    run_stage = ctypes.CDLL(str(library)).run_stage
    run_stage.restype = None
    return run_stage


def carry_out(kernel, state, stage, num_qubits):
    """A stage on a NumPy state, block after block."""
    words, spots, numbers = encoded(stage, num_qubits)
    values = np.ascontiguousarray(numbers.astype(state.dtype))
    inside = len(stage.inside)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (state, words, values, spots)]
    for block in range(1 << num_qubits - inside):
        kernel(
            *pointers, ctypes.c_int(len(stage.steps)), ctypes.c_int(inside),
            ctypes.c_int(num_qubits - inside), ctypes.c_longlong(block),
        )  # fmt: skip


def evolved(kernel, circuit, precision):
    plan = plan_stages(fuse(operations(circuit), MATRIX_QUBITS_MAX), circuit.num_qubits, precision)
    state = np.zeros(1 << circuit.num_qubits, dtype=np.complex64 if precision == "single" else np.complex128)
    state[0] = 1
    for stage in plan:
        assert isinstance(stage, Stage)
        carry_out(kernel, state, stage, circuit.num_qubits)
    return state, plan


@pytest.mark.parametrize("seed", range(10))
def test_the_kernels_text_on_random_circuits(kernel, precision, seed):
    with replayable(seed):
        circuit = random_circuit(seed, 3 + seed, 60, matrix_qubits_max=3)
        state, _ = evolved(kernel, circuit, precision)
        assert np.abs(state - DenseSimulator.run(circuit).state).max() < TOLERANCE[precision]


def test_many_tiles_with_phases_and_controls_across_them(kernel, precision):
    pytest.importorskip("torch")
    from qrealm.simulate.backends.gpu.tile_proof import sample_circuit

    packed = sample_circuit().packed()
    state, plan = evolved(kernel, packed, precision)
    assert len(plan) > 2
    assert np.abs(state - DenseSimulator.run(packed).state).max() < TOLERANCE[precision]


@pytest.mark.parametrize("seed", range(8))
def test_stages_keep_every_step_once_and_fit_their_tiles(precision, seed):
    circuit = random_circuit(seed, 20, 150, matrix_qubits_max=5)
    steps = fuse(operations(circuit), MATRIX_QUBITS_MAX)
    plan = plan_stages(steps, 20, precision)
    done = [step for each in plan for step in (each.steps if isinstance(each, Stage) else (each,))]
    assert len(done) == len(steps)
    assert {id(step) for step in done} == {id(step) for step in steps}
    for each in plan:
        if not isinstance(each, Stage):
            assert len(each.qubits) > MATRIX_QUBITS_MAX
            continue
        assert len(each.inside) == TILE_QUBITS[precision]
        assert set(range(LOW_QUBITS[precision])) <= set(each.inside)
        for step in each.steps:
            assert step.is_table or set(step.qubits) <= set(each.inside)


@pytest.mark.parametrize("seed", range(8))
def test_no_step_overtakes_one_that_it_does_not_commute_with(precision, seed):
    circuit = random_circuit(seed, 18, 120, matrix_qubits_max=2)
    steps = fuse(operations(circuit), MATRIX_QUBITS_MAX)
    plan = plan_stages(steps, 18, precision)
    done = [step for each in plan for step in (each.steps if isinstance(each, Stage) else (each,))]
    turn = {id(step): number for number, step in enumerate(done)}
    for place, first in enumerate(steps):
        for second in steps[place + 1 :]:
            shared = {*first.qubits, *first.controls} & {*second.qubits, *second.controls}
            if shared and not (first.is_table and second.is_table):
                assert turn[id(first)] < turn[id(second)]


def test_a_layered_circuit_takes_far_fewer_stages_than_gates(precision):
    circuit = Circuit(24)
    for layer in range(10):
        for qubit in range(24):
            circuit.ry(0.1 + layer + qubit, qubit).rz(0.2 * qubit, qubit)
        for qubit in range(23):
            circuit.cx(qubit, qubit + 1)
    plan = plan_stages(fuse(operations(circuit.packed()), MATRIX_QUBITS_MAX), 24, precision)
    assert len(plan) < len(circuit) / 15


def test_the_tile_kernel_is_for_cuda():
    pytest.importorskip("torch")
    import qrealm

    with pytest.raises(RequestError, match="for CUDA devices"):
        qrealm.run(Circuit(1).h(0), 10, backend="gpu", options=GPUOptions(device="cpu", kernel="tiles"))
    with pytest.raises(RequestError, match="the rule is one of library, tiles"):
        GPUOptions(kernel="fast")
