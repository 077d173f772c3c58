"""`QrealmProvider` and `QrealmBackend`: targets, transpiling, jobs, and Qiskit's `Result`."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import perf_counter, process_time, sleep

import numpy as np
import pytest

pytest.importorskip("qiskit")

from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, transpile
from qiskit.circuit import Parameter
from qiskit.circuit.library import MCXGate, QFTGate
from qiskit.circuit.random import random_circuit
from qiskit.exceptions import QiskitError
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.providers import JobError, JobStatus, JobTimeoutError
from qiskit.quantum_info import Operator, Statevector
from qiskit.transpiler import generate_preset_pass_manager
from qiskit.transpiler.exceptions import TranspilerError

import qrealm
from e2e.providers.qiskit_cases import SIGMAS, ansatz, assert_drawn_from, several_registers, teleportation
from qrealm.base.errors import (
    CancelledRunError,
    MissingExtraError,
    RequestError,
    ResourceError,
    UnknownBackendError,
)
from qrealm.faces.providers.qiskit import QrealmBackend, QrealmJob, QrealmProvider
from qrealm.faces.providers.qiskit.target import build_target, native_gates
from qrealm.simulate.backends import BACKENDS, QuantumBackend
from qrealm.simulate.plan.types import Traits, Wants

PROVIDER = QrealmProvider()


@pytest.fixture
def backend() -> QrealmBackend:
    return PROVIDER.get_backend("statevector")


@pytest.fixture
def slow_jobs(backend: QrealmBackend) -> Iterator[list[QrealmJob]]:
    """More jobs than there are threads, each of which would take minutes."""
    circuit = QuantumCircuit(12, 60)
    for bit in range(60):
        circuit.h(range(12))
        circuit.measure(bit % 12, bit)
    jobs = [
        backend.run(circuit, shots=2_000_000)
        for _ in range(2 * qrealm.QuantumVirtualizationEngine().hardware_info.cores + 4)
    ]
    while jobs[0].status() is JobStatus.QUEUED:
        sleep(0.01)  # its thread has yet to wake up
    yield jobs
    for job in jobs:
        job.cancel()
    for job in jobs:
        with pytest.raises(CancelledRunError):
            job.result(timeout=60)


# ---- the provider ------------------------------------------------------------------------------------


def test_every_backend_of_the_registry_is_there() -> None:
    names = [backend.name for backend in PROVIDER.backends()]
    assert names == ["auto", *(name.value for name in BACKENDS)]
    for name, row in BACKENDS.items():
        backend = PROVIDER.get_backend(name.value)
        assert backend.qubits_max == row.card.qubits_max
        assert backend.num_qubits == (backend.qubits_max if backend.qubits_max <= 64 else None)
        assert backend.description == row.card.summary
        assert backend.coupling_map is None
        assert backend.provider is PROVIDER
        assert name.value in repr(backend)
    assert PROVIDER.get_backend() is PROVIDER.get_backend("auto") is PROVIDER.backends(name="auto")[0]
    assert "auto" in [backend.name for backend in PROVIDER.backends(min_num_qubits=1000)]
    assert PROVIDER.backends(min_num_qubits=10**7) == []
    assert [b.name for b in PROVIDER.backends(filters=lambda b: b.name == "statevector")] == ["statevector"]
    with pytest.raises(UnknownBackendError, match="ibm_kyiv"):
        PROVIDER.get_backend("ibm_kyiv")


def test_without_qiskit_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['qiskit'] = None\n"
        "try:\n    from qrealm import QrealmProvider\n"
        "except ImportError as problem:\n    print(problem)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "qrealm[qiskit]"' in done.stdout
    assert "QR400" in done.stdout


# ---- the target --------------------------------------------------------------------------------------


def test_the_target_has_what_the_reader_takes_as_it_is(backend: QrealmBackend) -> None:
    names = set(backend.operation_names)
    assert {"cx", "u", "rzz", "ccz", "c3sx", "unitary", "mcx", "measure", "reset", "delay"} <= names
    assert {"if_else", "switch_case", "for_loop", "initialize"} <= names
    assert not {"while_loop", "box", "store"} & names
    assert len(native_gates()) >= 50
    for name, (gate, probe) in native_gates().items():
        assert gate.name == name
        assert [len(qubits) for _, qubits, _ in probe] == [gate.num_qubits] * (name != "global_phase")


def test_the_target_has_no_more_than_the_card_allows() -> None:
    """A card that refuses what is no Clifford gate, and one that refuses to decide anything half-way."""

    def target(refusal: Callable[[Traits, Wants], str | None]) -> set[str]:
        card = replace(BACKENDS[QuantumBackend.STATEVECTOR].card, refusal=refusal)
        return set(build_target("", [card]).operation_names)

    everything = target(lambda traits, wants: None)
    clifford = target(lambda traits, wants: traits.non_clifford)
    assert {"h", "s", "sdg", "x", "sx", "cx", "cz", "swap", "iswap", "ecr", "dcx", "measure"} <= clifford
    assert {"reset", "if_else", "switch_case", "for_loop", "delay"} <= clifford
    assert not {"t", "rx", "rz", "p", "u", "cp", "rzz", "ccx", "cs", "unitary", "initialize"} & clifford
    assert everything - target(lambda traits, wants: traits.mid_circuit and "no") == {
        "if_else",
        "reset",
        "switch_case",
    }


@pytest.mark.parametrize("name", list(QuantumBackend))
def test_every_backend_gives_correlated_bits(name: QuantumBackend) -> None:
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    backend = PROVIDER.get_backend(name)
    try:
        counts = backend.run(transpile(bell, backend), shots=4000, seed_simulator=2).result().get_counts()
    except (MissingExtraError, ResourceError) as problem:
        pytest.skip(str(problem))
    assert_drawn_from(counts, {"00": 0.5, "11": 0.5})


@pytest.mark.parametrize("level", range(4))
def test_transpiling_keeps_the_unitary(backend: QrealmBackend, level: int) -> None:
    for seed in range(3):
        source = random_circuit(4, 6, max_operands=4, seed=seed)
        source.append(QFTGate(3), [3, 0, 2])
        source.append(MCXGate(3), range(4))
        done = transpile(source, backend, optimization_level=level, seed_transpiler=seed)
        assert Operator.from_circuit(done) == Operator(source)
        assert np.abs(Operator.from_circuit(done).data - Operator(source).data).max() < 1e-9
        assert done.num_qubits == 4
        assert set(done.count_ops()) <= set(backend.operation_names)


def test_what_is_native_is_left_alone(backend: QrealmBackend) -> None:
    source = QuantumCircuit(5, 1)
    source.rzz(0.3, 0, 1)
    source.mcx([0, 1, 2, 3], 4)
    source.measure(0, 0)
    with source.if_test((0, 1)):
        source.x(1)
    done = transpile(source, backend, optimization_level=0)
    assert dict(done.count_ops()) == {"rzz": 1, "mcx": 1, "measure": 1, "if_else": 1}
    with pytest.raises(TranspilerError, match="qubits"):
        transpile(QuantumCircuit(backend.num_qubits + 1), backend)


def test_transpiling_for_a_wide_backend_takes_no_time_and_keeps_the_width() -> None:
    auto = PROVIDER.get_backend("auto")
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    assert auto.target is not None  # made once
    begun = process_time()
    for options in ({}, {"initial_layout": [1, 0]}, {"optimization_level": 3}):
        assert transpile(bell, auto, **options).num_qubits == 2
    assert process_time() - begun < 10  # 49 s when the target counted a million qubits
    passes = generate_preset_pass_manager(1, backend=auto)
    wide = QuantumCircuit(3000)
    wide.h(0)
    for qubit in range(2999):
        wide.cx(qubit, qubit + 1)
    assert passes.run(wide).num_qubits == 3000
    data = BackendEstimatorV2(backend=auto).run([(transpile(bell.copy(), auto), "ZZ")], precision=0.1)
    assert abs(data.result()[0].data.evs - 1) < 1e-9


# ---- results -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_counts_of_several_registers(backend: QrealmBackend, seed: int) -> None:
    values = [0.3, -0.8, 1.1, 2.0]
    plain = ansatz(seed, 4, 20).assign_parameters(values)
    circuit = several_registers(plain)
    result = backend.run(circuit, shots=20_000, seed_simulator=seed).result()
    wanted: dict[str, float] = {}
    for index, probability in enumerate(Statevector(plain).probabilities()):
        bits = [index >> qubit & 1 for qubit in range(4)]
        key = f"{bits[0]}{bits[1]}{bits[2]}0  {bits[3]}"  # rest, empty, first: the last register leftmost
        wanted[key] = wanted.get(key, 0.0) + float(probability)
    assert_drawn_from(result.get_counts(), wanted)
    assert result.get_counts(circuit) == result.get_counts(0)


def test_the_record_of_a_run(backend: QrealmBackend) -> None:
    bell = QuantumCircuit(2, name="bell", metadata={"sample": 3})
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    job = backend.run(bell, shots=1000, seed_simulator=3, memory=True)
    result = job.result()
    assert job.status() is JobStatus.DONE
    assert job.done()
    assert job.backend() is backend
    assert (result.success, result.backend_name, result.job_id) == (True, "statevector", job.job_id())
    memory = result.get_memory()
    counts = result.get_counts()
    assert {key: memory.count(key) for key in set(memory)} == counts == qrealm.run(bell, 1000, seed=3).counts
    assert memory != sorted(memory)
    entry = result.results[0]
    assert entry.header["metadata"] == {"sample": 3}
    assert entry.seed == entry.metadata["seed"] == 3
    assert entry.metadata["backend"] == "statevector"
    assert 0 < entry.time_taken <= result.time_taken
    assert result.to_dict()["results"][0]["shots"] == 1000
    with pytest.raises(QiskitError, match="No statevector"):
        result.get_statevector()
    with pytest.raises(QiskitError, match="No memory"):
        backend.run(bell).result().get_memory()


def test_state_vectors(backend: QrealmBackend) -> None:
    source = ansatz(2, 3, 15).assign_parameters([0.1, 0.2, 0.3, 0.4])
    result = backend.run(source, return_statevector=True, shots=0, precision="double").result()
    assert np.abs(result.get_statevector() - Statevector(source).data).max() < 1e-12
    both = backend.run(source.measure_all(inplace=False), return_statevector=True, shots=50).result()
    assert np.abs(both.get_statevector() - Statevector(source).data).max() < 1e-12
    assert sum(both.get_counts().values()) == 50
    single = backend.run(source, return_statevector=True, precision="single").result().get_statevector()
    assert single.dtype == np.complex64


def test_several_circuits_have_seeds_of_their_own(backend: QrealmBackend) -> None:
    circuit = QuantumCircuit(6)
    circuit.h(range(6))
    circuit.measure_all()
    first = backend.run([circuit, circuit], seed_simulator=1).result()
    again = backend.run([circuit, circuit], seed_simulator=1).result()
    assert first.get_counts(0) == again.get_counts(0)
    assert first.get_counts(1) == again.get_counts(1)
    assert first.get_counts(0) != first.get_counts(1)
    assert backend.run(
        circuit, seed_simulator=first.results[1].seed
    ).result().get_counts() == first.get_counts(1)
    assert backend.run(circuit).result().get_counts() != backend.run(circuit).result().get_counts()


def test_parameter_binds(backend: QrealmBackend) -> None:
    theta, phi = Parameter("theta"), Parameter("phi")
    one, two = QuantumCircuit(1, 1), QuantumCircuit(2, 2)
    one.ry(theta, 0)
    one.measure(0, 0)
    two.ry(phi, 0)
    two.rx(theta, 1)
    two.measure([0, 1], [0, 1])
    result = backend.run(
        [one, two], parameter_binds=[{theta: [0, np.pi]}, {phi: [np.pi], "theta": 0.0}], shots=9
    ).result()
    assert result.get_counts() == [{"0": 9}, {"1": 9}, {"01": 9}]
    with pytest.raises(RequestError, match="open parameters"):
        backend.run(one)
    with pytest.raises(RequestError, match="'phi', 'theta'"):
        backend.run(one, parameter_binds=[{theta: [1], phi: [1]}])
    with pytest.raises(RequestError, match="equally many"):
        backend.run(two, parameter_binds=[{theta: [1], phi: [1, 2]}])
    with pytest.raises(RequestError, match="one dict for each circuit"):
        backend.run(one, parameter_binds={theta: [1]})
    with pytest.raises(RequestError, match="a number or a list"):
        backend.run(one, parameter_binds=[{theta: "much"}])


def test_measurements_half_way(backend: QrealmBackend) -> None:
    counts = backend.run(teleportation(1.2), shots=20_000, seed_simulator=4).result().get_counts()
    one = np.sin(0.6) ** 2
    assert_drawn_from(
        counts, {f"{out} {sent:02b}": (one if out else 1 - one) / 4 for out in (0, 1) for sent in range(4)}
    )


def test_circuits_that_measure_nothing(backend: QrealmBackend) -> None:
    circuit = QuantumCircuit(1, 2)
    circuit.h(0)
    assert backend.run(circuit, shots=5, memory=True).result().get_memory() == ["00"] * 5
    with pytest.raises(QiskitError, match="No counts"):
        backend.run(QuantumCircuit(1)).result().get_counts()


def test_overlapping_registers_are_printed_as_one_string(backend: QrealmBackend) -> None:
    low = ClassicalRegister(2, "low")
    circuit = QuantumCircuit(QuantumRegister(2), low, ClassicalRegister(bits=[low[1]], name="again"))
    circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    assert backend.run(circuit, shots=4).result().get_counts() == {"01": 4}


def test_options(backend: QrealmBackend) -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    mine = QrealmBackend("statevector", shots=12)
    assert sum(mine.run(circuit).result().get_counts().values()) == 12
    mine.set_options(shots=13)
    assert sum(mine.run(circuit).result().get_counts().values()) == 13
    assert (
        mine.run(circuit, threads=1, precision="double").result().results[0].metadata["precision"] == "double"
    )
    with pytest.raises(RequestError, match="meas_level"):
        backend.run(circuit, meas_level=1)
    for wrong in ({"shots": -1}, {"shots": 0}, {"precision": "half"}, {"threads": 0}, {"seed_simulator": -3}):
        with pytest.raises(RequestError):
            backend.run(circuit, **wrong)
    for wrong in ("OPENQASM 3.0;", [], [1]):
        with pytest.raises(RequestError, match="a QuantumCircuit or a list"):
            backend.run(wrong)


# ---- jobs --------------------------------------------------------------------------------------------


def test_jobs_run_in_the_background_and_stop(slow_jobs: list[QrealmJob]) -> None:
    running, queued = slow_jobs[0], slow_jobs[-1]
    assert queued.status() is JobStatus.QUEUED
    with pytest.raises(JobTimeoutError):
        running.result(timeout=0.3)
    assert running.running()
    assert queued.cancel()
    assert queued.status() is JobStatus.CANCELLED
    with pytest.raises(CancelledRunError):
        queued.result()
    assert running.cancel()
    running.wait_for_final_state(timeout=60, wait=0.05)
    assert running.cancelled()
    assert not running.cancel()
    with pytest.raises(CancelledRunError):
        running.result()
    with pytest.raises(JobError, match="submitted already"):
        running.submit()


def test_waiting_for_a_job_ends_with_it(backend: QrealmBackend, slow_jobs: list[QrealmJob]) -> None:
    told: list[JobStatus] = []

    def end_at_the_second(job_id: str, status: JobStatus, job: QrealmJob) -> None:
        told.append(status)
        if len(told) == 2:
            job.cancel()

    with pytest.raises(JobTimeoutError):
        slow_jobs[0].wait_for_final_state(timeout=0.3)
    slow_jobs[0].wait_for_final_state(timeout=60, wait=0.1, callback=end_at_the_second)
    assert told[:2] == [JobStatus.RUNNING] * 2
    assert slow_jobs[0].cancelled()
    # Qiskit's own would look again after ten minutes.
    begun = perf_counter()
    slow_jobs[1].wait_for_final_state(wait=600.0, callback=lambda job_id, status, job: job.cancel())
    assert perf_counter() - begun < 60
    assert slow_jobs[1].cancelled()


def test_interrupting_the_wait_stops_the_job(
    slow_jobs: list[QrealmJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    main = threading.main_thread().ident
    assert main is not None
    future = slow_jobs[0]._task._future
    assert future is not None
    wait_for_it = future.result
    sender = threading.Thread(target=signal.pthread_kill, args=(main, signal.SIGINT))

    def result(timeout: float | None = None) -> object:
        sender.start()
        return wait_for_it(timeout)

    monkeypatch.setattr(future, "result", result)
    with pytest.raises(KeyboardInterrupt):
        slow_jobs[0].result()
    sender.join()
    monkeypatch.undo()
    slow_jobs[0].wait_for_final_state(timeout=60, wait=0.05)
    assert slow_jobs[0].cancelled()


def test_a_failed_job_raises_what_went_wrong(backend: QrealmBackend) -> None:
    circuit = QuantumCircuit(2, 1)
    circuit.h([0, 1])
    circuit.measure(0, 0)
    circuit.h(0)
    circuit.measure(0, 0)
    job = backend.run(circuit, shots=100, return_statevector=True, seed_simulator=1)
    with pytest.raises(RequestError, match="no single final state"):
        job.result()
    assert job.status() is JobStatus.ERROR
    assert job.in_final_state()


# ---- Qiskit's own sampler ----------------------------------------------------------------------------


def test_qiskits_own_sampler_runs_on_our_backend(backend: QrealmBackend) -> None:
    circuit = several_registers(ansatz(1, 4, 20))
    values = np.random.default_rng(1).uniform(-3, 3, (2, 4))
    sampler = BackendSamplerV2(backend=backend, options={"seed_simulator": 5})
    data = sampler.run([(circuit, values)], shots=20_000).result()[0].data
    for index in range(2):
        state = Statevector(ansatz(1, 4, 20).assign_parameters(values[index]))
        one = sum(state.probabilities_dict([3]).get(key, 0.0) for key in ("1",))
        share = data.first.get_counts(index).get("1", 0) / 20_000
        assert abs(share - one) < SIGMAS * np.sqrt(one * (1 - one) / 20_000) + 1e-7
        wanted = {f"{key[::-1]}0": value for key, value in state.probabilities_dict([0, 1, 2]).items()}
        assert_drawn_from(data.rest.get_counts(index), wanted)
