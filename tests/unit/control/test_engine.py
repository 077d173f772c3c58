"""The engine: jobs in, job results out, the loop free meanwhile."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

import qrealm
from qrealm.base.errors import InternalError, RequestError
from qrealm.control import engine as engine_module
from qrealm.control.engine import JobStatus
from unit.simulate.cancelling import CancelledAtCheck

BELL = {"num_qubits": 2, "gates": [{"type": "H", "qubits": [0]}, {"type": "CX", "qubits": [0, 1]}]}


def execute(*args, **kwargs):
    engine = qrealm.QuantumVirtualizationEngine()
    return asyncio.run(engine.execute_circuit(*args, **kwargs))


def test_a_circuit_becomes_a_completed_job():
    job = execute(BELL, shots=100, seed=3, return_statevector=True, observables="Z0 Z1")
    assert isinstance(job, qrealm.QuantumJobResult)
    assert job.status is JobStatus.COMPLETED
    assert job.error is None
    assert sum(job.counts.values()) == 100
    assert job.statevector.shape == (4,)
    assert job.expectation_values == pytest.approx({"Z0 Z1": 1.0})
    assert job.execution_time > 0
    assert job.metadata["seed"] == 3
    assert job.job_id != execute(BELL, shots=1).job_id


@pytest.mark.parametrize(
    "arguments, code, words",
    [
        ({"circuit": {"num_qubits": 1, "gates": [{"type": "NO", "qubits": [0]}]}}, "QR125", "NO"),
        ({"circuit": BELL, "shots": -1}, "QR300", "shots is -1"),
        ({"circuit": BELL, "backend": "abacus"}, "QR301", "abacus"),
        ({"circuit": BELL, "vm_name": "lab"}, "QR300", "no machine is named 'lab'"),
        ({"circuit": "OPENQASM 2.0;\nqreg q[1];\nfoo q[0];"}, "QR121", "foo"),
        ({"circuit": BELL, "initial_state": 5}, "QR300", "initial_state is 5"),
        ({"circuit": BELL, "parameters": 0.3}, "QR104", "parameters got 0.3"),
        ({"circuit": BELL, "amplitudes": [5]}, "QR300", "amplitudes got [5]"),
        ({"circuit": {"num_qubits": 0, "gates": []}}, "QR103", "at least one qubit"),
    ],
)
def test_what_the_caller_can_mend_is_in_the_result(arguments, code, words):
    job = execute(**arguments)
    assert job.status is JobStatus.FAILED
    assert job.error.code == code
    assert words in job.error.message
    assert str(job.error).startswith(code)
    assert job.counts == {}
    assert job.statevector is None


def test_a_place_in_the_program_is_told():
    job = execute("OPENQASM 2.0;\nqreg q[1];\nfoo q[0];")
    assert "line 3, column 1" in str(job.error)


def test_bugs_propagate(monkeypatch):
    def broken(*_, **__):
        raise InternalError("a promise was broken")

    monkeypatch.setattr(engine_module, "run", broken)
    with pytest.raises(InternalError):
        execute(BELL)
    monkeypatch.undo()
    with pytest.raises(TypeError, match="unexpected keyword"):
        execute(BELL, no_such_option=1)


def test_the_loop_stays_free(monkeypatch):
    release = threading.Event()

    def slow(*args, **kwargs):
        assert release.wait(60)
        return qrealm.run(*args, **kwargs)

    monkeypatch.setattr(engine_module, "run", slow)

    async def both():
        job = asyncio.create_task(qrealm.QuantumVirtualizationEngine().execute_circuit(BELL, shots=5))
        await asyncio.sleep(0)
        release.set()  # reached only because the loop is not blocked by the run
        return await job

    assert asyncio.run(both()).status is JobStatus.COMPLETED


def test_many_jobs_at_once():
    async def gather():
        engine = qrealm.QuantumVirtualizationEngine()
        return await asyncio.gather(*(engine.execute_circuit(BELL, shots=50, seed=7) for _ in range(8)))

    jobs = asyncio.run(gather())
    assert all(job.counts == jobs[0].counts for job in jobs)


def test_hardware_and_benchmark(tmp_path):
    engine = qrealm.QuantumVirtualizationEngine(config_dir=tmp_path)
    info = engine.hardware_info
    assert info is engine.hardware_info
    assert info.cores >= 1
    backend = info.backends[0]
    assert backend.name == "statevector"
    assert backend.qubits_max["single"] >= backend.qubits_max["double"] > 10
    assert backend.instruction_sets[-1] in {"plain", "neon"}, "what every machine of its kind has"
    others = {each.name: each for each in info.backends}
    assert not others["mps"].memory_bound
    assert not others["cirq"].automatic
    assert others["gpu"].missing == "torch" or others["gpu"].device
    times = asyncio.run(engine.benchmark(num_qubits=4))
    lacking = {each.name for each in info.backends if each.missing}
    assert {"statevector", "density_matrix", "mps"} <= set(times) <= set(others) - lacking
    assert 0 < times["statevector"] < 30
    with pytest.raises(RequestError):
        asyncio.run(engine.benchmark(num_qubits=0))
    assert list(tmp_path.iterdir()) == []


def test_the_facade_names_everything_it_promises():
    for name in qrealm.__all__:
        assert getattr(qrealm, name) is not None
        assert name in dir(qrealm)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = qrealm.nothing


def test_the_facade_leaves_out_what_needs_a_package_that_is_not_there(tmp_path):
    """In a process of its own, where PennyLane and Cirq cannot be imported."""
    program = (
        "import sys\n"
        "sys.modules['pennylane'] = sys.modules['cirq'] = None\n"
        "from qrealm import *\n"
        "import qrealm\n"
        "assert run and Circuit and 'QrealmDevice' not in dir(qrealm)\n"
        "assert [getattr(qrealm, name) for name in dir(qrealm)]\n"
        "assert not hasattr(qrealm, 'QrealmDevice') and not hasattr(qrealm, 'QrealmSampler')\n"
        "for text in ('qrealm.QrealmDevice', 'exec(\"from qrealm import QrealmSimulator\")'):\n"
        "    try:\n"
        "        eval(text)\n"
        "    except (AttributeError, ImportError) as problem:\n"
        "        print(type(problem).__name__, problem.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        'MissingNameError pip install "qrealm[pennylane]"',
        'MissingExtraError pip install "qrealm[cirq]"',
    ]


def test_cancelling_a_job_stops_its_run_within_a_second(monkeypatch):
    """Alone the run would take minutes."""
    circuit = qrealm.Circuit(22)
    for layer in range(2000):
        for qubit in range(22):
            circuit.rx(0.1 + 0.01 * layer, qubit)
        for qubit in range(layer % 2, 21, 2):
            circuit.cz(qubit, qubit + 1)

    at_work = threading.Event()
    token = CancelledAtCheck(20, at_work.set)
    monkeypatch.setattr(engine_module, "CancelToken", lambda: token)

    async def cancelled() -> float:
        engine = qrealm.QuantumVirtualizationEngine()
        job = asyncio.create_task(engine.execute_circuit(circuit, shots=1, precision="double"))
        assert await asyncio.to_thread(at_work.wait, 60)
        assert not job.done()
        begun = time.monotonic()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        return time.monotonic() - begun

    before = threading.active_count()
    assert asyncio.run(cancelled()) < 30, "the bound is a second; the machine may be busy with other tests"
    assert token.checks_after == 1
    assert threading.active_count() <= before
