"""The GPU backend against the dense reference: fusion, chunks, sampling, Pauli strings, gradients, devices.

Everything runs on PyTorch's processor device, and on a GPU too where PyTorch finds one.
"""

# ruff: noqa: E402 - what follows the skip needs PyTorch
from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import qrealm
from qrealm.base.errors import MissingExtraError, RequestError, ResourceError, TooLargeError
from qrealm.circuits import Circuit, PauliSum
from qrealm.simulate import decide
from qrealm.simulate.backends.gpu import arrays, device, paulis, sampling
from qrealm.simulate.backends.gpu.card import CARD
from qrealm.simulate.backends.gpu.fusion import MATRIX_QUBITS_MAX, TABLE_QUBITS_MAX, fuse
from qrealm.simulate.backends.gpu.gates import operations
from qrealm.simulate.backends.gpu.options import GPUOptions
from qrealm.simulate.backends.gpu.run import GPUBackend
from qrealm.simulate.plan.types import Choice, Considered, Cost, DeviceFacts, Precision, Rates
from qrealm.simulate.request import make_request
from reference.dense import DenseSimulator
from reference.random_circuits import random_circuit, replayable

KINDS = device.kinds()
TOLERANCE = {Precision.SINGLE: 2e-5, Precision.DOUBLE: 1e-11}


@pytest.fixture(params=KINDS)
def backend(request):
    return GPUBackend(GPUOptions(device=request.param))


@pytest.fixture(params=["one chunk", "small chunks"])
def chunks(request, monkeypatch):
    """Temporary arrays as they are, or of eight amplitudes, so that every loop over chunks turns."""
    if request.param == "small chunks":
        monkeypatch.setattr(arrays, "chunk_amplitudes", lambda array: 8)
        monkeypatch.setattr(sampling, "ROW_BITS", 2)
        monkeypatch.setattr(paulis, "_ROW_BITS", 2)


def evolved(backend, packed, precision):
    state = backend.start(packed.num_qubits, precision)
    state.apply(backend.compile(packed, precision), 1)
    return state


@pytest.mark.parametrize("seed", range(12))
def test_random_circuits(backend, chunks, seed):
    with replayable(seed):
        for precision in backend.device.precisions:
            circuit = random_circuit(seed, 2 + seed % 8, 40)
            truth = DenseSimulator.run(circuit).state
            found = evolved(backend, circuit, precision).to_array(1)
            assert np.abs(found - truth).max() < TOLERANCE[precision]


@pytest.mark.parametrize("seed", range(6))
def test_steps_stay_small_and_are_fewer_than_gates(seed):
    circuit = random_circuit(seed, 9, 200, controls_max=2, matrix_qubits_max=3)
    steps = fuse(operations(circuit))
    assert len(steps) < 150
    for step in steps:
        assert len(step.qubits) <= (TABLE_QUBITS_MAX if step.is_table else MATRIX_QUBITS_MAX)
        assert len(step.matrix) == 1 << len(step.qubits)


def test_phases_gather_in_tables():
    circuit = Circuit(6)
    for a in range(6):
        for b in range(a):
            circuit.cp(0.1 * (a + b), a, b)
    (step,) = fuse(operations(circuit.packed()))
    assert step.is_table
    assert step.qubits == tuple(range(6))


def test_many_controls_and_global_phases(backend, chunks):
    circuit = Circuit(9, global_phase=0.7)
    circuit.h(range(9)).rx(0.4, 3)
    circuit.append("x", [8], controls=[0, 1, 2, 3, 4, 5, 6])
    circuit.append("p", [7], [0.9], controls=[0, 1, 2, 3, 4, 5, 6, 8])
    circuit.append("ryy", [2, 6], [0.3], controls=[0, 1, 3, 4, 5])
    packed = circuit.packed()
    found = evolved(backend, packed, Precision.SINGLE).to_array(1)
    assert np.abs(found - DenseSimulator.run(packed).state).max() < 2e-5


def test_the_product_of_real_parts_is_the_complex_product():
    generator = np.random.default_rng(3)
    a, b = (
        torch.from_numpy(generator.normal(size=shape) + 1j * generator.normal(size=shape))
        for shape in ((4, 4), (4, 50))
    )
    assert torch.allclose(arrays.real_product(a, b), a @ b, atol=1e-12)


@pytest.mark.parametrize("qubits", [[0], [6], [3, 1], [0, 1, 2, 3, 4, 5, 6], [6, 0, 4, 2]])
def test_probabilities_of_any_qubits(backend, chunks, qubits):
    circuit = random_circuit(5, 7, 60)
    reference = DenseSimulator.run(circuit)
    found = evolved(backend, circuit, Precision.SINGLE).probabilities(qubits, 1)
    assert found == pytest.approx(reference.probabilities(qubits), abs=2e-5)


def test_samples_follow_a_peaked_distribution(backend, chunks):
    """A few outcomes have all the weight, some neighbours none: rounding must not pick those."""
    amplitudes = np.zeros(1 << 6, dtype=complex)
    amplitudes[[0, 7, 31, 32, 63]] = np.sqrt([0.4, 0.1, 0.2, 0.25, 0.05])
    state = backend.start(6, Precision.SINGLE)
    state.load(amplitudes)
    shots = 50_000
    found = np.bincount(state.sample(shots, 11, 1).astype(np.int64), minlength=64)
    assert np.flatnonzero(found).tolist() == [0, 7, 31, 32, 63]
    want = np.abs(amplitudes) ** 2
    # Five standard deviations of a binomial count.
    assert (np.abs(found - shots * want) <= 5 * np.sqrt(shots * want * (1 - want)) + 1e-9).all()


def test_uniforms_are_uniform_and_belong_to_shots():
    many = sampling.uniforms(100_000, 7)
    assert np.array_equal(many[:10], sampling.uniforms(10, 7))
    # Five standard deviations of a mean of uniforms, 1 / sqrt(12 N).
    assert abs(many.mean() - 0.5) < 5 / np.sqrt(12 * len(many))
    assert many.min() >= 0
    assert many.max() < 1


def test_pauli_strings(backend, chunks):
    circuit = random_circuit(8, 6, 50)
    generator = np.random.default_rng(2)
    x_masks = generator.integers(0, 64, 40).astype(np.uint64)
    z_masks = generator.integers(0, 64, 40).astype(np.uint64)
    reference = DenseSimulator.run(circuit)
    found = evolved(backend, circuit, Precision.SINGLE).expectation(x_masks, z_masks, 1)
    for x, z, value in zip(x_masks.tolist(), z_masks.tolist(), found, strict=True):
        letters = {q: "IXZY"[(x >> q & 1) + 2 * (z >> q & 1)] for q in range(6)}
        string = {q: letter for q, letter in letters.items() if letter != "I"}
        assert value == pytest.approx(reference.expectation(string), abs=2e-5)


def test_gradients_agree_with_the_state_vectors(backend, chunks):
    """Every operation with an angle, controlled and not, against the compiled kernel's adjoint method."""
    names = [f"p{i}" for i in range(14)]
    p = [qrealm.Parameter(name) for name in names]
    circuit = Circuit(4).h(range(4)).rx(p[0], 0).ry(p[1], 1).rz(p[2], 2).p(p[3], 3).u(p[4], p[5], p[6], 0)
    circuit.rxx(p[7], 0, 3).ryy(p[8], 1, 2).rzz(p[9], 2, 0).rzx(p[10], 3, 1).cx(0, 2)
    circuit.crx(p[11], 1, 3).cp(p[12], 2, 0).cu(p[13], 0.2, p[0], p[1], 3, 2).h(1)
    values = np.linspace(0.2, 2.5, 14)
    observable = "Z0 Z1 + 0.5 X2 - 0.3 Y3 X0 + 0.7 Y1 Y2"
    want = qrealm.gradient(circuit, observable, values)
    packed = circuit.template().bind(values)
    for precision in backend.device.precisions:
        program = backend.compile(packed, precision)
        wanted = np.ones(len(packed.params), dtype=np.uint8)
        value, slopes = program.gradient(PauliSum(observable).masks(), wanted, 1)
        template = circuit.template()
        found = slopes[template.slots] @ template.jacobian(values)
        assert value == pytest.approx(want.value, abs=1e-4 if precision is Precision.SINGLE else 1e-11)
        assert found == pytest.approx(want.derivatives, abs=1e-4 if precision is Precision.SINGLE else 1e-11)


def test_runs_through_the_front_door():
    circuit = Circuit(3, 2).h(0).cx(0, 1).measure([0, 1], [0, 1])
    with circuit.if_(0):
        circuit.x(2)
    result = qrealm.run(circuit, 500, seed=3, backend="gpu", options=GPUOptions("cpu"))
    assert set(result.counts) <= {"00", "11"}
    assert result.metadata["device"] == "cpu"
    assert result.metadata["warnings"] == []
    value = qrealm.run(circuit, 0, observables="Z2 Z0", backend="gpu").expectation_values["Z2 Z0"]
    assert value == pytest.approx(1.0, abs=1e-6)
    theta = qrealm.Parameter("t")
    found = qrealm.gradient(Circuit(1).ry(theta, 0), "Z0", [0.3], backend="gpu")
    assert found.derivatives == pytest.approx([-np.sin(0.3)])


@pytest.mark.skipif(len(KINDS) > 1, reason="this machine has a GPU")
def test_without_a_gpu_it_says_so_and_auto_never_takes_it():
    result = qrealm.run(Circuit(2).h(0), 10, backend="gpu")
    assert "no GPU" in result.metadata["warnings"][0]
    with pytest.raises(RequestError, match="finds only cpu"):
        qrealm.run(Circuit(2).h(0), 10, backend="gpu", options=GPUOptions("cuda"))
    wide = Circuit(22)
    for layer in range(3):
        for q in range(22):
            wide.ry(0.1 + layer + q, q)
        for q in range(21):
            wide.cx(q, q + 1)
    result = qrealm.run(wide, 10, seed=1)
    assert "gpu" not in [each["backend"] for each in result.metadata["considered"]]


def test_wrong_devices_are_refused():
    with pytest.raises(RequestError, match="the rule is one of"):
        GPUOptions(device="tpu")


def test_options_go_with_their_backend():
    bell = Circuit(2).h(0).cx(0, 1)
    for backend, words in (
        ("auto", "leaves the choice to AUTO"),
        ("statevector", "has no options of its own"),
    ):
        with pytest.raises(RequestError, match=words) as caught:
            qrealm.run(bell, 10, backend=backend, options=GPUOptions("cpu"))
        assert "'gpu'" in caught.value.hint
    with pytest.raises(RequestError, match="the gpu backend takes GPUOptions"):
        qrealm.run(bell, 10, backend="gpu", options={"device": "cpu"})


def test_auto_takes_a_gpu_that_is_there(monkeypatch):
    """AUTO with a device's facts as an H200 might tell them: much faster, and with room."""
    fast = Rates(1e-4, 1e-6, 4e12, 3e13, 1e-9)
    monkeypatch.setattr(decide, "may_have_gpu", lambda: True)
    monkeypatch.setattr(decide, "device_facts", lambda card, request: DeviceFacts(fast, 100 * 1024**3))
    circuit = Circuit(27)
    for layer in range(20):
        for q in range(27):
            circuit.ry(0.1 + layer + q, q)
        for q in range(26):
            circuit.cx(q, q + 1)
    request = make_request(
        27, shots=10, seed=1, precision="single", threads=None, return_statevector=False, observables=None,
        amplitudes=None, sampled=False, bit_order="little", backend=qrealm.QuantumBackend.AUTO,
    )  # fmt: skip
    facts = decide.traits(circuit)
    choice = decide.choose_backend(circuit, facts, request)
    assert choice is not None
    assert choice.name == "gpu"
    monkeypatch.setattr(decide, "device_facts", lambda card, request: DeviceFacts(fast, 1024**3))
    cramped = decide.choose_backend(circuit, facts, request)
    assert cramped is not None
    assert cramped.name != "gpu"
    refused = {each.name: each.refused for each in cramped.considered}
    assert "needs 1.75 GiB of 1 GiB" in refused["gpu"]


def test_memory_refused_on_the_way_falls_back(monkeypatch):
    """AUTO takes the GPU, PyTorch runs out of memory there: the state vector runs, and the result says so."""
    fast = Rates(1e-6, 1e-9, 4e12, 3e13, 1e-9)
    monkeypatch.setattr(decide, "may_have_gpu", lambda: True)
    monkeypatch.setattr(decide, "device_facts", lambda card, request: DeviceFacts(fast, 100 * 1024**3))

    def exhausted(*args, **kwargs):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 16.00 MiB. GPU 0 has less")

    circuit = Circuit(20)
    for layer in range(30):
        for q in range(20):
            circuit.ry(0.1 + layer + q, q)
        for q in range(19):
            circuit.cx(q, q + 1)
    with monkeypatch.context() as patched:
        patched.setattr(torch, "zeros", exhausted)
        result = qrealm.run(circuit, shots=50, seed=1, precision="single", return_statevector=True)
    told = result.metadata
    assert told["considered"][0]["backend"] == "gpu"
    assert told["backend"] == "statevector"
    (line,) = told["warnings"]
    assert line.startswith("gpu ran out of memory: the gpu backend ran out of memory: CUDA out of memory")
    assert line.endswith("fell back to statevector")
    want = qrealm.run(
        circuit, shots=50, seed=1, precision="single", return_statevector=True, backend="statevector"
    )
    assert result.counts == want.counts
    monkeypatch.setattr(torch, "zeros", exhausted)
    with pytest.raises(ResourceError, match="CUDA out of memory"):
        qrealm.run(circuit, shots=50, seed=1, precision="single", return_statevector=True, backend="gpu")


def test_auto_does_not_load_pytorch_for_what_is_quick(monkeypatch):
    monkeypatch.setattr(decide, "may_have_gpu", lambda: True)
    monkeypatch.delitem(decide.sys.modules, "torch")
    quick = Choice("statevector", "", (Considered("statevector", Cost(1.0, 10), ""),))
    slow = Choice("statevector", "", (Considered("statevector", Cost(60.0, 10), ""),))
    assert not decide._is_worth_a_look(quick)
    assert decide._is_worth_a_look(slow)
    assert decide._is_worth_a_look(None)


def test_memory_that_the_device_refuses_is_told_with_figures(monkeypatch):
    @device.refusal_told
    def allocate():
        torch.empty(1 << 48, dtype=torch.complex128)

    with pytest.raises(ResourceError, match="gpu backend ran out of memory"):
        allocate()

    @device.refusal_told
    def mistake():
        torch.zeros(3) @ torch.zeros(4)

    with pytest.raises(RuntimeError, match="size"):
        mistake()


def test_a_run_that_does_not_fit_the_device_is_refused_before_it_starts(monkeypatch):
    monkeypatch.setattr(device.Device, "memory_bytes", lambda self: (3 * 1024**3, 4 * 1024**3))
    circuit = Circuit(28).h(range(28))
    with pytest.raises(TooLargeError, match="on the gpu backend needs") as caught:
        qrealm.run(circuit, 0, observables="Z0 Z27 X3", precision="double", backend="gpu")
    assert caught.value.available_bytes == int(3 * 1024**3 * 0.95)


def test_without_pytorch_the_pip_command_is_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="torch") as caught:
        qrealm.run(Circuit(1).h(0), 10, backend="gpu")
    assert 'pip install "qrealm[torch]"' in caught.value.hint


def test_the_card_counts_all_gates_of_all_branches():
    rates = Rates(1e-4, 1e-6, 1e10, 1e11, 1e-9)
    circuit = Circuit(10)
    for _ in range(100):
        circuit.h(range(10))
    plain = make_request(
        10, shots=100, seed=1, precision=None, threads=None, return_statevector=False, observables=None,
        amplitudes=None, sampled=False, bit_order="little", backend=qrealm.QuantumBackend.GPU,
    ).wants  # fmt: skip
    before = CARD.cost(decide.traits(circuit), plain, rates)
    circuit.measure(0, 0).h(0)
    after = CARD.cost(decide.traits(circuit), plain, rates)
    assert 1.5 * before.seconds < after.seconds
    assert after.memory_bytes > before.memory_bytes


FORKS = """
import os, qrealm
from qrealm.base.errors import RunError
circuit = qrealm.Circuit(20).h(range(20)).cx(0, 19)
qrealm.run(circuit, shots=10, seed=1, backend="gpu")
child = os.fork()
if not child:
    try:
        qrealm.run(circuit, shots=10, seed=1, backend="gpu")
    except RunError as problem:
        ok = "spawn" in problem.hint and sum(qrealm.run(circuit, shots=10, seed=1).counts.values()) == 10
        os._exit(7 if ok else 1)
    os._exit(2)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_is_told_so_and_does_not_hang():
    """The child of a process that has used PyTorch gets an error at once; AUTO goes on without it."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "7"
