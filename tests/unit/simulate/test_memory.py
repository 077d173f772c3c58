"""Large runs share the memory that there is, and a refused allocation is an error of qrealm."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import weakref
from dataclasses import dataclass

import pytest

import qrealm
from engines.nodes import wait_until
from qrealm.base.cancel import watching
from qrealm.base.errors import CancelledRunError, ResourceError, TooLargeError
from qrealm.control.engine import JobStatus
from qrealm.simulate import execute as execute_module
from qrealm.simulate import memory
from qrealm.simulate.backends import QuantumBackend, loaded
from qrealm.simulate.memory import MemoryLedger, refusal_told
from qrealm.simulate.plan.types import Plan, Precision
from unit.simulate.cancelling import CancelledAtCheck

GIB = 1024**3


def plan_of(size_bytes: int):
    def plan_for(available: int) -> Plan:
        if size_bytes > available * 0.95:
            raise TooLargeError("a run", needed_bytes=size_bytes, available_bytes=available)
        return Plan("statevector", Precision.SINGLE, 1, size_bytes, size_bytes, 0, (str(available),))

    return plan_for


def test_two_big_runs_do_not_both_pass_the_check(monkeypatch):
    ledger = MemoryLedger()
    available = [8 * GIB]
    _, first = ledger.reserve(plan_of(6 * GIB), lambda: available[0])
    waited = []

    def meanwhile(seconds: float) -> None:
        waited.append(available[0])
        if len(waited) == 1:  # it waits, although the first has touched nothing yet
            available[0] = 2 * GIB  # now it has
        elif len(waited) == 3:  # and is not refused
            with first:
                available[0] = 8 * GIB

    monkeypatch.setattr(memory._pause, "wait", meanwhile)
    plan, reserved = ledger.reserve(plan_of(5 * GIB), lambda: available[0])
    with reserved:
        assert waited == [8 * GIB, 2 * GIB, 2 * GIB]
    assert plan.reasons == (str(8 * GIB),)


def test_a_run_that_waits_begins_when_another_thread_ends_its_own():
    ledger = MemoryLedger()
    _, first = ledger.reserve(plan_of(6 * GIB), lambda: 8 * GIB)
    began = threading.Event()

    def second() -> None:
        ledger.reserve(plan_of(5 * GIB), lambda: 8 * GIB)
        began.set()

    thread = threading.Thread(target=second)
    thread.start()
    with first:
        assert not began.is_set()
    assert began.wait(60)
    thread.join()


def test_runs_that_fit_beside_each_other_do_not_wait():
    ledger = MemoryLedger()
    held = [ledger.reserve(plan_of(2 * GIB), lambda: 8 * GIB)[1] for _ in range(3)]
    assert sum(each.size_bytes for each in held) == 6 * GIB


def test_what_does_not_fit_alone_is_refused_at_once():
    ledger = MemoryLedger()
    _, held = ledger.reserve(plan_of(2 * GIB), lambda: 8 * GIB)
    with pytest.raises(TooLargeError):
        ledger.reserve(plan_of(9 * GIB), lambda: 8 * GIB)
    with held:
        pass


def test_a_run_that_died_before_it_began_holds_nothing():
    ledger = MemoryLedger()
    ledger.reserve(plan_of(6 * GIB), lambda: 8 * GIB)
    gc.collect()
    ledger.reserve(plan_of(6 * GIB), lambda: 8 * GIB)


def test_waiting_for_memory_can_be_cancelled():
    ledger = MemoryLedger()
    _, held = ledger.reserve(plan_of(6 * GIB), lambda: 8 * GIB)
    token = CancelledAtCheck(3)
    with watching(token), pytest.raises(CancelledRunError):
        ledger.reserve(plan_of(6 * GIB), lambda: 8 * GIB)
    assert (token.checks, token.checks_after) == (3, 0)
    with held:
        pass


def test_jobs_of_an_engine_take_turns_when_memory_is_short(monkeypatch):
    """Each takes 128 MiB and its overhead; there are 300 MiB, so two would not fit."""
    monkeypatch.setattr(execute_module, "memory_available_bytes", lambda: 300 * 1024**2)
    running, most, waiting = [0], [0], set()
    pause = memory._pause.wait

    def noted(seconds: float) -> bool:
        waiting.add(threading.get_ident())
        return pause(seconds)

    monkeypatch.setattr(memory._pause, "wait", noted)
    plan_state = execute_module.plan_state

    def watched(*args, **kwargs):
        plan, reserved = plan_state(*args, **kwargs)
        running[0] += 1
        most[0] = max(most[0], running[0])
        leave = type(reserved).__exit__

        class Watching:
            def __enter__(self) -> None:
                # The first goes on when the others wait for its memory, or had it too.
                wait_until(lambda: len(waiting) + most[0] >= 3)

            def __exit__(self, *what: object) -> None:
                running[0] -= 1
                leave(reserved, *what)

        return plan, Watching()

    monkeypatch.setattr(execute_module, "plan_state", watched)

    async def both():
        engine = qrealm.QuantumVirtualizationEngine()
        circuit = qrealm.Circuit(23).h(0)
        return await asyncio.gather(
            *(engine.execute_circuit(circuit, shots=1, amplitudes=["0" * 23]) for _ in range(3))
        )

    jobs = asyncio.run(both())
    assert [job.status for job in jobs] == [JobStatus.COMPLETED] * 3
    assert most[0] == 1


def test_a_result_does_not_keep_the_compiled_program(monkeypatch):
    from qrealm.simulate.backends.statevector import run as backend_module

    alive = weakref.WeakSet()

    class Watched(backend_module.StateVectorProgram):
        __slots__ = ("__weakref__",)

        def __init__(self, *parts: object) -> None:
            super().__init__(*parts)
            alive.add(self)

    monkeypatch.setattr(backend_module, "StateVectorProgram", Watched)
    circuit = qrealm.Circuit(3).h(0).cx(0, 1).ry(0.3, 2)
    for asked in ({}, {"return_statevector": True}):
        result = qrealm.run(circuit, 10, seed=1, **asked)
        gc.collect()
        assert not alive
        program = loaded(QuantumBackend.STATEVECTOR).compile(
            circuit.packed(), Precision(result.metadata["precision"])
        )
        assert result.metadata["plan"] == program.describe()
        del program
        gc.collect()
        assert not alive


def test_a_refusal_is_told_in_words():
    @refusal_told
    def refused() -> None:
        raise MemoryError("no more")

    with pytest.raises(ResourceError, match=r"QR200.*no more"):
        refused()


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS binds on Linux")
@pytest.mark.parametrize(
    "step",
    [
        "state.to_array(1)",
        "state.copy()",
        "state.sample(1 << 26, 1, 1)",
        "backend.start(24, Precision.DOUBLE).apply(program, 1)",
        "program.counts(10, 1, 1)",
        "qrealm.run(circuit, 0, return_statevector=True, threads=1)",
        "qrealm.run(circuit, 0, initial_state='0' * 24, amplitudes=['0' * 24], threads=1)",
        "qrealm.gradient(circuit, 'Z0', [], threads=1)",
    ],
)
def test_memory_that_the_system_refuses_is_an_error_of_qrealm(step):
    """24 qubits in double precision are 256 MiB; the limit leaves room for one such state, not for two."""
    program = f"""
        import resource
        import qrealm
        from qrealm.base.errors import ResourceError
        from qrealm.simulate.backends import QuantumBackend, loaded
        from qrealm.simulate.plan.types import Precision

        backend = loaded(QuantumBackend.STATEVECTOR)
        circuit = qrealm.Circuit(24)
        for qubit in range(24):
            circuit.ry(0.1, qubit).cx(qubit, (qubit + 1) % 24)
        program = backend.compile(circuit.packed(), Precision.DOUBLE)
        state = backend.start(24, Precision.DOUBLE)
        state.apply(program, 1)
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + 100 * 1024**2,) * 2)
        try:
            {step}
        except ResourceError as problem:
            print(problem.code)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "QR200\n", done.stderr


def test_what_is_planned_may_be_more_than_a_plan():
    @dataclass(frozen=True)
    class Shared:
        plan: Plan
        workers: int

        @property
        def memory_bytes(self) -> int:
            return self.plan.memory_bytes

    ledger = MemoryLedger()
    shared, held = ledger.reserve(lambda free: Shared(plan_of(6 * GIB)(free), free // GIB), lambda: 8 * GIB)
    assert (shared.workers, held.size_bytes) == (8, 6 * GIB)
    with held:
        assert ledger.alone_bytes(lambda: 2 * GIB) == 8 * GIB
