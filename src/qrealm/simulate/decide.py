"""Where a run goes: to the backend that was named, or to the one that AUTO picks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from time import perf_counter

from qrealm.base import limits
from qrealm.base.errors import InternalError, QubitError, ResourceError, TooLargeError
from qrealm.base.machine import cores_default
from qrealm.circuits import Circuit
from qrealm.circuits.circuit import check_bound
from qrealm.circuits.operations import CHANNEL, contains
from qrealm.simulate.backends import BACKENDS, QuantumBackend, loaded, missing_package, steered
from qrealm.simulate.backends.devices import is_on_device
from qrealm.simulate.backends.gpu.device import find_gpu, is_forked, may_have_gpu
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.calibrate import rates
from qrealm.simulate.execute import execute, find_on, finish, packed_or_none
from qrealm.simulate.part_runs import by_cones
from qrealm.simulate.plan import auto
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.plan.types import (
    BackendCard,
    Choice,
    Considered,
    Cost,
    DeviceFacts,
    Precision,
    Rates,
    Traits,
)
from qrealm.simulate.refusals import (
    check_named,
    check_options,
    last_resort,
    missing,
    name_others,
    room_bytes,
)
from qrealm.simulate.request import RunRequest
from qrealm.simulate.results import Result

FALLBACK_SECONDS, FALLBACK_FACTOR = 10.0, 10.0
"""Another backend takes over from one that ran out of memory when it needs at most so long, or so many times
as long as was planned: an error at once is better than an answer next week."""

QUICK_SECONDS = 5e-4
"""A run that is planned to take less than this is begun at once: reading the circuit for the cards takes as
long."""

UNASKED_DECIDING = 12
"""Circuits with measurements half-way are looked at from this many instructions on: every decision costs the
state vector more than many gates."""

PLANNED_GATES = 20_000
"""Circuits up to this size are planned for the state vector to see what they would take: a millisecond for
every few thousand gates."""

SMALL_WORK = 1 << 24
"""Gates times amplitudes up to which the state vector is taken unasked: it needs less than 10 ms for them,
and nothing else could be much faster."""

Planner = Callable[[], Cost | None]
"""What the state vector would take, by its compiled program; None where that is not worth while."""

QUICK = Choice(
    QuantumBackend.STATEVECTOR.value,
    "statevector: done before another backend could be asked what it would take",
    (),
)
"""How AUTO tells of a run that it begins at once."""

DEVICE_SECONDS = 5.0
"""From this time on a GPU is looked for: loading PyTorch and CUDA can take as long, once per process."""


def carry_out(circuit: Circuit, request: RunRequest) -> Result:
    """Run a circuit where the request says.

    Raises:
        ParameterError: a parameter is not bound yet.
        BackendRefusalError: the named backend cannot run it, or none can.
        TooLargeError, ResourceError: it does not fit.
        MissingExtraError: the named backend needs a package that is not installed.
    """
    check_bound(circuit)
    name = request.backend
    if request.options is not None:
        check_options(name, request.options)
    if name is QuantumBackend.AUTO:
        return _unnamed(circuit, request)
    with others_named(lambda: circuit, request):
        if name is QuantumBackend.STATEVECTOR and _is_plain(circuit, request):
            return execute(circuit, request, loaded(name))
        started = perf_counter()
        check_named(BACKENDS[name].card, traits(circuit, supports(request)), request)
        return finish(circuit, request, find_on(circuit, request, loaded(name)), started)


@contextmanager
def others_named(circuit: Callable[[], Circuit], request: RunRequest) -> Iterator[None]:
    """What the named backend is too small for in the block says who else can run the circuit."""
    try:
        yield
    except (TooLargeError, QubitError) as problem:
        if request.backend is not QuantumBackend.AUTO and (whole := circuit()).num_qubits:
            name_others(problem, BACKENDS[request.backend].card, traits(whole, supports(request)), request)
        raise


def _unnamed(circuit: Circuit, request: RunRequest) -> Result:
    """AUTO: begun at once, by parts, or on what the cards say."""
    planned = planner(circuit, request)
    if is_unasked(circuit, request, planned):
        return execute(circuit, request, loaded(QuantumBackend.STATEVECTOR), QUICK)
    started = perf_counter()
    facts = traits(circuit, supports(request))
    if comes_apart(facts):
        found, choice = by_cones(circuit, request, _of_cone)
    else:
        found, choice = _automatic(circuit, request, facts, planned)
    return finish(circuit, request, found, started, choice)


def comes_apart(facts: Traits) -> bool:
    """Whether AUTO runs the parts that the observables depend on, instead of the whole."""
    return 0 < facts.cone_qubits < facts.num_qubits and not facts.mid_circuit


def planner(circuit: Circuit, request: RunRequest) -> Planner:
    """The state vector's cost by a compiled program, found out when it is first asked for."""
    return cache(partial(_planned_cost, circuit, request))


def is_unasked(circuit: Circuit, request: RunRequest, planned: Planner) -> bool:
    """Whether AUTO begins on the state vector at once: it can run the circuit, and is done before anybody
    could have asked the cards."""
    return _is_plain(circuit, request) and _is_quick(circuit, planned)


def _is_quick(circuit: Circuit, planned: Planner) -> bool:
    if circuit.terminal_measurements is None and len(circuit) > UNASKED_DECIDING:
        return False
    if len(circuit) << circuit.num_qubits <= SMALL_WORK:
        return True
    cost = planned()
    return cost is not None and cost.seconds < QUICK_SECONDS


def choose_backend(circuit: Circuit, facts: Traits, request: RunRequest) -> Choice | None:
    """What AUTO takes for a circuit; None when nothing can run it."""
    return auto.chosen(consider(facts, request, planner(circuit, request)))


def consider(facts: Traits, request: RunRequest, planned: Planner) -> tuple[Considered, ...]:
    """What every backend says that AUTO may choose, a GPU's where one could win."""
    cards = [row.card for row in BACKENDS.values() if row.card.automatic]
    cost = planned()
    here = partial(
        auto.look,
        facts,
        request.wants,
        rates=machine_rates(request),
        memory_available_bytes=room_bytes(),
        known={QuantumBackend.STATEVECTOR: cost} if cost is not None else {},
    )
    found = here([card for card in cards if not card.needs_device], missing=missing)
    devices = [card for card in cards if card.needs_device and not auto.refusal(card, facts, request.wants)]
    if not devices or not _is_worth_a_look(auto.chosen(found)):
        return found
    there = {card.name: told for card in devices if (told := device_facts(card, request)) is not None}
    if not there:
        return found
    return here(cards, missing=missing, devices=there)


def _planned_cost(circuit: Circuit, request: RunRequest) -> Cost | None:
    """What a compiled program tells of the state vector's run, where planning it costs next to nothing: it
    leaves out what no sample can tell, and keeps apart what is not entangled."""
    wants = request.wants
    if wants.exact or wants.sampled or len(circuit) > PLANNED_GATES or circuit.num_qubits > limits.QUBITS_MAX:
        return None
    packed = packed_or_none(circuit) if circuit.num_qubits else None
    if packed is None:
        return None
    engine = steered(QuantumBackend.STATEVECTOR, "AUTO")
    assert engine.card.seconds is not None  # it tells its work
    work = engine.compile(packed, wants.precision or Precision.SINGLE).work(wants.shots)
    # What is too large to be planned in detail is written once and read once at least.
    work = replace(work, moved_bytes=max(work.moved_bytes, 2 * work.state_bytes))
    seconds = engine.card.seconds(work, machine_rates(request))
    return Cost(seconds, work.state_bytes + limits.RUN_OVERHEAD_BYTES + wants.shots * limits.SHOT_BYTES)


def _is_worth_a_look(choice: Choice | None) -> bool:
    """Whether a device could win: looking for one loads PyTorch, which takes seconds once."""
    if not may_have_gpu():
        return False
    best = choice.considered[0].cost if choice is not None else None
    return best is None or "torch" in sys.modules or best.seconds > DEVICE_SECONDS


def device_facts(card: BackendCard, request: RunRequest) -> DeviceFacts | None:
    """What planning must know of the GPU that a card's backend finds; None when it finds none."""
    if missing_package(card) or is_forked() or find_gpu() is None:
        return None
    engine = loaded(QuantumBackend(card.name))
    if not is_on_device(engine):
        raise InternalError(f"the card of {card.name} says that it needs a device, and its backend has none")
    precision = request.wants.precision_or_default
    if precision not in engine.card.precisions:
        precision = engine.card.precisions[0]
    room = engine.ledger.alone_bytes(engine.memory_available_bytes)
    return DeviceFacts(rates(engine, precision, 1), room)


def _is_plain(circuit: Circuit, request: RunRequest) -> bool:
    """Whether the state vector can run it whatever else there is to know."""
    return not request.density_matrix and (circuit.is_unitary or not contains(circuit.instructions, CHANNEL))


def _of_cone(circuit: Circuit, request: RunRequest) -> tuple[Found, Choice | None]:
    """What one part finds, on the backend that suits it."""
    planned = planner(circuit, request)
    if is_unasked(circuit, request, planned):
        return find_on(circuit, request, loaded(QuantumBackend.STATEVECTOR)), QUICK
    return _automatic(circuit, request, traits(circuit, supports(request)), planned)


def _automatic(
    circuit: Circuit, request: RunRequest, facts: Traits, planned: Planner
) -> tuple[Found, Choice]:
    """Run on the cheapest backend; when memory is refused there, on the next."""
    considered = consider(facts, request, planned)
    choice = auto.chosen(considered)
    if choice is None:
        return last_resort(circuit, facts, request, considered)
    able = _ways_out(choice)
    warnings: tuple[str, ...] = ()
    for name, following in zip(able, [*able[1:], ""], strict=True):
        try:
            found = find_on(circuit, request, loaded(QuantumBackend(name)))
        except ResourceError as problem:
            if not following:
                raise
            warnings += (f"{name} ran out of memory: {problem.message}; fell back to {following}",)
            continue
        return replace(found, warnings=warnings + found.warnings), choice
    raise InternalError("AUTO chose a backend that it then did not try")


def _ways_out(choice: Choice) -> list[str]:
    """The chosen backend, and those that may take over when it runs out of memory: they keep nobody waiting
    for much longer, and need much less, or other memory than a device's."""
    costs = [(each.name, each.cost) for each in choice.considered if not each.refused and each.cost]
    first, least = costs[0]
    bearable = max(FALLBACK_SECONDS, FALLBACK_FACTOR * least.seconds)
    elsewhere = any(row.card.name == first and row.card.needs_device for row in BACKENDS.values())
    return [first] + [
        name
        for name, cost in costs[1:]
        if cost.seconds <= bearable and (elsewhere or 2 * cost.memory_bytes <= least.memory_bytes)
    ]


def machine_rates(request: RunRequest) -> Rates:
    """What this machine was measured to do in the state-vector kernel: the scale of every cost."""
    threads = request.planning.threads or cores_default()
    engine = steered(QuantumBackend.STATEVECTOR, "AUTO")
    return rates(engine, request.wants.precision_or_default, threads)


def supports(request: RunRequest) -> list[frozenset[int]] | None:
    """Qubits of each term, when nothing but exact values is asked."""
    wants = request.wants
    if wants.shots or wants.statevector or wants.density_matrix or wants.amplitudes or not wants.values:
        return None
    masks = {x | z for _, observable in request.observables for x, z, _ in observable.strings()}
    return [frozenset(q for q in range(mask.bit_length()) if mask >> q & 1) for mask in masks]


__all__ = [
    "QUICK",
    "SMALL_WORK",
    "Planner",
    "carry_out",
    "choose_backend",
    "comes_apart",
    "consider",
    "is_unasked",
    "machine_rates",
    "others_named",
    "planner",
    "supports",
]
