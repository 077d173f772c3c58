"""Choose precision, threads and branch copies; refuse what does not fit. Pure: every fact is an argument."""

from __future__ import annotations

from qrealm.base import limits
from qrealm.base.errors import QubitError, RequestError, TooLargeError
from qrealm.base.units import format_gib
from qrealm.simulate.plan.types import BackendCard, CircuitShape, Plan, Precision, Request

_NO_REASONS: tuple[str, ...] = ()


def choose(
    shape: CircuitShape,
    request: Request,
    card: BackendCard,
    *,
    cores: int,
    memory_available_bytes: int | None,
) -> Plan:
    """Plan one run, or refuse it before anything is allocated.

    Args:
        shape: the circuit's size.
        request: what is wanted.
        card: the backend's.
        cores: threads to use when the request names none and the circuit is large enough to share.
        memory_available_bytes: what may be allocated; None when the run is too small to ask.

    Raises:
        TooLargeError: it needs more memory than there is.
        QubitError: more qubits than the backend can number.
        RequestError: a precision that the backend does not have.
    """
    plan = plan_unchecked(shape, request, card, cores=cores, memory_available_bytes=memory_available_bytes)
    if memory_available_bytes is not None and not fits(plan.memory_bytes, memory_available_bytes):
        raise too_large(shape, plan, request, card, memory_available_bytes)
    return plan


def plan_unchecked(
    shape: CircuitShape,
    request: Request,
    card: BackendCard,
    *,
    cores: int,
    memory_available_bytes: int | None,
) -> Plan:
    """`choose`, but a plan that does not fit is returned too: what an estimate shows.

    Raises:
        QubitError, RequestError: as `choose`.
    """
    _check_card(shape, request, card)
    wanted = _wanted_precision(request, card)
    plan = _with_precision(shape, request, card, wanted, cores, memory_available_bytes)
    if memory_available_bytes is None or request.precision is not None or plan.precision is Precision.SINGLE:
        return plan
    if not fits(plan.memory_bytes, memory_available_bytes):
        smaller = _with_precision(shape, request, card, Precision.SINGLE, cores, memory_available_bytes)
        if fits(smaller.memory_bytes, memory_available_bytes):
            return smaller
    return plan


def fits(memory_bytes: int, memory_available_bytes: int) -> bool:
    """Whether a run of this size may be started."""
    return memory_bytes <= memory_available_bytes * limits.MEMORY_SHARE_MAX


def qubits_max(precision: Precision, card: BackendCard, memory_available_bytes: int) -> int:
    """The largest number of fully entangled qubits whose counts can be had in this much memory; all that the
    backend numbers where memory does not grow with the state."""
    room = memory_available_bytes * limits.MEMORY_SHARE_MAX - card.overhead_bytes
    if not card.index_bits:
        return card.qubits_max
    amplitudes = int(room) // (precision.amplitude_bytes * card.states)
    return max(0, min(card.qubits_max, (amplitudes.bit_length() - 1) // card.index_bits))


def too_large(
    shape: CircuitShape, plan: Plan, request: Request, card: BackendCard, memory_available_bytes: int
) -> TooLargeError:
    """The error for a plan that does not fit: how much it needs, how much there is, what to do."""
    advice: list[str] = []
    if plan.precision is Precision.DOUBLE:
        single = _with_precision(shape, request, card, Precision.SINGLE, plan.threads, memory_available_bytes)
        if fits(single.memory_bytes, memory_available_bytes):
            advice.append(f'use precision="single": it needs {format_gib(single.memory_bytes)} and fits')
    if request.state_copy and not shape.state_arrays:
        without = plan.memory_bytes - (plan.precision.amplitude_bytes << shape.num_qubits)
        if fits(without, memory_available_bytes):
            advice.append(
                "ask for counts, amplitudes or observables instead of the whole state vector: "
                f"that needs {format_gib(without)} and fits"
            )
    room = int(memory_available_bytes * limits.MEMORY_SHARE_MAX)
    shots = (room - plan.memory_bytes) // limits.SHOT_BYTES + request.shots
    if shots > 0:  # else the state alone is too large
        advice.append(f"draw at most {shots:,} shots at once: each takes {limits.SHOT_BYTES} bytes")
        return _too_large(shape, plan, card, room, advice)
    largest = qubits_max(Precision.SINGLE, card, memory_available_bytes)
    advice.append(
        f"use at most {largest} qubits here in single precision "
        f"({qubits_max(Precision.DOUBLE, card, memory_available_bytes)} in double)"
    )
    advice.append("use a machine with more memory")
    return _too_large(shape, plan, card, room, advice)


def _too_large(
    shape: CircuitShape, plan: Plan, card: BackendCard, room: int, advice: list[str]
) -> TooLargeError:
    return TooLargeError(
        f"a {plan.precision.value}-precision run of {shape.num_qubits} qubits on the {card.name} backend",
        needed_bytes=plan.memory_bytes,
        available_bytes=room,
        hint="; or ".join(advice),
    )


def too_many_qubits(num_qubits: int, card: BackendCard) -> QubitError:
    """The error for more qubits than a backend can number."""
    return QubitError(
        f"the {card.name} backend takes up to {card.qubits_max} qubits; the circuit has {num_qubits}",
        hint="drop idle qubits, or cut the circuit into parts that share no gate",
    )


def threads_for(num_qubits: int, asked: int | None, cores: int) -> int:
    """Threads of a run: what was asked for, else one for a small state and all cores for a large one."""
    if asked is not None:
        return asked
    return 1 if num_qubits <= limits.SERIAL_QUBITS_MAX else cores


def _check_card(shape: CircuitShape, request: Request, card: BackendCard) -> None:
    if shape.num_qubits < 1:
        raise QubitError("a run needs at least one qubit; the circuit has none")
    if shape.num_qubits > card.qubits_max:
        raise too_many_qubits(shape.num_qubits, card)
    if request.precision is not None and request.precision not in card.precisions:
        raise RequestError(
            f"the {card.name} backend has no {request.precision.value} precision",
            hint="use one of: " + ", ".join(each.value for each in card.precisions),
        )


def _wanted_precision(request: Request, card: BackendCard) -> Precision:
    wanted = request.precision_or_default
    return wanted if wanted in card.precisions else card.precisions[0]


def _with_precision(
    shape: CircuitShape,
    request: Request,
    card: BackendCard,
    precision: Precision,
    cores: int,
    memory_available_bytes: int | None,
) -> Plan:
    state_bytes = shape.amplitudes * precision.amplitude_bytes
    memory_bytes = state_bytes + card.overhead_bytes + request.shots * limits.SHOT_BYTES
    # Arrays for a preparation are gone before the state is handed out: only the larger of the two counts.
    memory_bytes += max(shape.state_arrays, int(request.state_copy)) * (
        precision.amplitude_bytes << shape.num_qubits
    )
    copies = 0
    if shape.branch_points:
        copies = _branch_copies(shape, state_bytes, memory_bytes, memory_available_bytes)
        memory_bytes += copies * state_bytes
    reasons = _NO_REASONS
    if memory_available_bytes is not None:  # a large run: worth words
        reasons = _reasons(shape, request, card, precision, copies)
    return Plan(
        card.name,
        precision,
        threads_for(shape.num_qubits, request.threads, cores),
        state_bytes,
        memory_bytes,
        copies,
        reasons,
    )


def _branch_copies(shape: CircuitShape, state_bytes: int, base_bytes: int, available: int | None) -> int:
    wanted = min(shape.branch_points, limits.BRANCH_COPIES_MAX)
    if available is None:
        return wanted
    room = min(available * limits.MEMORY_SHARE_MAX - base_bytes, available * limits.BRANCH_COPIES_SHARE_MAX)
    return max(0, min(wanted, int(room // state_bytes)))


def _reasons(
    shape: CircuitShape, request: Request, card: BackendCard, precision: Precision, copies: int
) -> tuple[str, ...]:
    lines: list[str] = []
    if request.precision is not None:
        lines.append(f"{precision.value} precision, as asked")
    elif card.precisions == (precision,):
        lines.append(f"{precision.value} precision, the only one that the backend has")
    elif precision is _wanted_precision(request, card):
        lines.append(
            "double precision, because amplitudes or exact values are asked for"
            if request.exact
            else "single precision, because only counts are asked for"
        )
    else:
        lines.append("single precision, because double does not fit in memory")
    if shape.amplitudes < 1 << shape.num_qubits:
        lines.append("the circuit comes apart into factors, so fewer than 2^n amplitudes are held")
    if shape.branch_points:
        kept = f"up to {copies} states are kept" if copies else "no state is kept"
        lines.append(
            f"{shape.branch_points} measurements or resets are decided half-way; {kept} to branch from"
        )
    return tuple(lines)
