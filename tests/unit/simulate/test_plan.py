"""Planning needs no kernel: every fact is an argument."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from qrealm.base import limits
from qrealm.base.errors import QubitError, RequestError, TooLargeError
from qrealm.base.units import GIB
from qrealm.simulate.backends.statevector.card import CARD
from qrealm.simulate.plan import (
    CircuitShape,
    Precision,
    Rates,
    Request,
    Work,
    choose,
    qubits_max,
    threads_for,
)
from qrealm.simulate.plan.choose import plan_unchecked
from qrealm.simulate.plan.clock import seconds
from qrealm.simulate.plan.types import Wants

SHOTS = 1000
BESIDE = limits.RUN_OVERHEAD_BYTES + SHOTS * limits.SHOT_BYTES


def shape(num_qubits: int, branch_points: int = 0, state_arrays: int = 0) -> CircuitShape:
    return CircuitShape(num_qubits, 1 << num_qubits, branch_points, state_arrays)


def request(
    precision: Precision | None = None, *, exact: bool = False, copy: bool = False, threads: int | None = None
) -> Request:
    return Request(SHOTS, precision, threads, exact, copy)


def test_a_plan_counts_the_state_and_what_a_run_takes_beside_it():
    plan = choose(shape(30), request(), CARD, cores=2, memory_available_bytes=24 * GIB)
    assert plan.precision is Precision.SINGLE
    assert plan.state_bytes == 8 * GIB
    assert plan.memory_bytes == 8 * GIB + BESIDE
    assert plan.memory_bytes < 1.15 * plan.state_bytes
    assert plan.threads == 2
    assert plan.reasons == ("single precision, because only counts are asked for",)


def test_a_copy_of_the_state_counts():
    plan = choose(shape(20), request(exact=True, copy=True), CARD, cores=2, memory_available_bytes=GIB)
    assert plan.memory_bytes == 2 * plan.state_bytes + BESIDE
    prepared = choose(
        shape(20, state_arrays=2), request(exact=True, copy=True), CARD, cores=2, memory_available_bytes=GIB
    )
    assert prepared.memory_bytes == 3 * plan.state_bytes + BESIDE


def test_automatic_precision_falls_back_to_single_where_double_does_not_fit():
    plan = choose(shape(30), request(exact=True), CARD, cores=2, memory_available_bytes=12 * GIB)
    assert plan.precision is Precision.SINGLE
    assert "single precision, because double does not fit in memory" in plan.reasons
    roomy = choose(shape(30), request(exact=True), CARD, cores=2, memory_available_bytes=24 * GIB)
    assert roomy.precision is Precision.DOUBLE
    with pytest.raises(TooLargeError, match=r"needs 16 GiB of memory; 11.4 GiB are available"):
        choose(
            shape(30), request(Precision.DOUBLE, exact=True), CARD, cores=2, memory_available_bytes=12 * GIB
        )


def test_an_unfitting_plan_can_still_be_looked_at():
    plan = plan_unchecked(shape(40), request(), CARD, cores=2, memory_available_bytes=GIB)
    assert plan.state_bytes == 8192 * GIB
    with pytest.raises(TooLargeError) as caught:
        choose(shape(40), request(), CARD, cores=2, memory_available_bytes=GIB)
    assert caught.value.needed_bytes == plan.memory_bytes
    assert "use a machine with more memory" in caught.value.hint


def test_the_advice_names_what_would_fit():
    with pytest.raises(TooLargeError) as caught:
        choose(
            shape(27), request(Precision.SINGLE, exact=True, copy=True), CARD, cores=2,
            memory_available_bytes=2 * GIB,
        )  # fmt: skip
    assert "ask for counts, amplitudes or observables" in caught.value.hint


@pytest.mark.parametrize("available", [GIB // 2, GIB, 24 * GIB, 1000 * GIB])
@pytest.mark.parametrize("precision", list(Precision))
def test_the_largest_circuit_fits_and_one_more_qubit_does_not(precision, available):
    largest = qubits_max(precision, CARD, available)
    none = Request(0, precision, None, False, False)
    choose(shape(largest), none, CARD, cores=1, memory_available_bytes=available)
    with pytest.raises(TooLargeError):
        choose(shape(largest + 1), none, CARD, cores=1, memory_available_bytes=available)


def test_branches_keep_as_many_copies_as_there_is_room_for():
    def copies(points: int, available: int) -> int:
        return choose(
            shape(27, points), request(), CARD, cores=1, memory_available_bytes=available
        ).branch_copies

    assert copies(3, 24 * GIB) == 3
    assert copies(30, 24 * GIB) == 12  # half of the memory
    assert copies(3, 3 * GIB // 2) == 0  # runs again from the start instead
    assert copies(1000, 10**6 * GIB) == limits.BRANCH_COPIES_MAX


def test_one_thread_on_small_states():
    assert threads_for(10, None, 64) == 1
    assert threads_for(25, None, 64) == 64
    assert threads_for(10, 3, 64) == 3


def test_the_card_has_the_last_word():
    with pytest.raises(QubitError, match="up to 62 qubits"):
        choose(shape(63), request(), CARD, cores=1, memory_available_bytes=None)
    with pytest.raises(QubitError, match="at least one qubit"):
        choose(shape(0), request(), CARD, cores=1, memory_available_bytes=None)
    narrow = replace(CARD, name="narrow", qubits_max=10, precisions=(Precision.SINGLE,))
    with pytest.raises(RequestError, match="no double precision"):
        choose(shape(3), request(Precision.DOUBLE), narrow, cores=1, memory_available_bytes=None)


def test_the_cost_model_adds_up():
    rates = Rates(1.0, 0.1, 100.0, 1000.0, 0.01)
    work = Work(state_bytes=0, stages=1, moved_bytes=200, flops=3000, gates=10, shots=50)
    assert CARD.seconds(work, rates) == pytest.approx(1 + 1 + 2 + 3 + 0.5)
    unmeasured = Rates(1.0, 0.1, math.inf, 1000.0, 0.01)
    assert CARD.seconds(work, unmeasured) == pytest.approx(1 + 1 + 3 + 0.5)


def test_planning_loads_no_compiled_code():
    listing = [sys.executable, "-c", "import sys, qrealm.simulate.plan; print(*sys.modules)"]
    loaded = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    assert "qrealm.simulate.plan.choose" in loaded
    assert "qrealm._kernels" not in loaded


def test_shots_take_memory_too():
    many = Request(10**9, None, None, False, False)
    with pytest.raises(TooLargeError, match=r"needs 37.3 GiB") as caught:
        choose(shape(3), many, CARD, cores=1, memory_available_bytes=24 * GIB)
    told = re.fullmatch(r"draw at most ([\d,]+) shots at once: each takes 40 bytes", caught.value.hint)
    assert told
    largest = int(told[1].replace(",", ""))
    fitting = replace(many, shots=largest)
    assert choose(shape(3), fitting, CARD, cores=1, memory_available_bytes=24 * GIB).memory_bytes
    with pytest.raises(TooLargeError):
        choose(shape(3), replace(many, shots=largest + 1), CARD, cores=1, memory_available_bytes=24 * GIB)


@pytest.mark.parametrize("exact", [False, True])
def test_precision_where_none_is_asked(exact: bool) -> None:
    """Requests and what cards know of them agree: what was asked for, else what suits."""
    for asked in (None, Precision.SINGLE, Precision.DOUBLE):
        expected = asked or (Precision.DOUBLE if exact else Precision.SINGLE)
        made = Request(10, asked, None, exact, state_copy=False)
        wants = Wants(10, asked, exact, False, 0, 0, False, 1e-6)
        assert made.precision_or_default is wants.precision_or_default is expected


def test_seconds_are_the_sum_of_all_parts() -> None:
    work = Work(state_bytes=16, stages=2, moved_bytes=3000, flops=50_000, gates=7, shots=11)
    rates = Rates(
        run_seconds=0.5, gate_seconds=0.01, bytes_per_second=1e4, flops_per_second=1e5, shot_seconds=0.002
    )
    assert seconds(work, rates) == pytest.approx(0.5 + 0.07 + 0.3 + 0.5 + 0.022)
