"""Where a run goes: to the backend that was named, or to the one that AUTO picks."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from time import perf_counter

from qrealm.base import limits
from qrealm.base.errors import (
    BackendRefusalError,
    InternalError,
    MissingExtraError,
    RequestError,
    ResourceError,
    TooLargeError,
)
from qrealm.base.machine import cores_default, memory_available_bytes
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
from qrealm.simulate.plan.choose import fits
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
    if _is_plain(circuit, request):
        if name is QuantumBackend.STATEVECTOR:
            return execute(circuit, request, loaded(name))
        if name is QuantumBackend.AUTO and _is_quick(circuit, request):
            return execute(circuit, request, loaded(QuantumBackend.STATEVECTOR), QUICK)
    started = perf_counter()
    found, choice = _resolved(circuit, request)
    return finish(circuit, request, found, started, choice)


def _is_quick(circuit: Circuit, request: RunRequest) -> bool:
    """Whether the state vector is done before anybody could have asked the cards."""
    if circuit.terminal_measurements is None and len(circuit) > UNASKED_DECIDING:
        return False
    if len(circuit) << circuit.num_qubits <= SMALL_WORK:
        return True
    cost = _planned_cost(circuit, request)
    return cost is not None and cost.seconds < QUICK_SECONDS


def _resolved(circuit: Circuit, request: RunRequest) -> tuple[Found, Choice | None]:
    """What was found, and how AUTO chose."""
    facts = traits(circuit, supports(request))
    name = request.backend
    if name is QuantumBackend.AUTO:
        if 0 < facts.cone_qubits < facts.num_qubits and not facts.mid_circuit:
            return by_cones(circuit, request, _of_cone)
        return _automatic(circuit, request, facts)
    check_named(BACKENDS[name].card, facts, request)
    return find_on(circuit, request, loaded(name)), None


def choose_backend(circuit: Circuit, facts: Traits, request: RunRequest) -> Choice | None:
    """What AUTO takes for a circuit; None when nothing can run it."""
    return auto.chosen(consider(circuit, facts, request))


def consider(circuit: Circuit, facts: Traits, request: RunRequest) -> tuple[Considered, ...]:
    """What every backend says that AUTO may choose, a GPU's where one could win."""
    cards = [row.card for row in BACKENDS.values() if row.card.automatic]
    planned = _planned_cost(circuit, request)
    here = partial(
        auto.look,
        facts,
        request.wants,
        rates=machine_rates(request),
        memory_available_bytes=memory_available_bytes(),
        known={QuantumBackend.STATEVECTOR: planned} if planned is not None else {},
    )
    found = here([card for card in cards if not card.needs_device], missing=_missing)
    devices = [card for card in cards if card.needs_device and not auto.refusal(card, facts, request.wants)]
    if not devices or not _is_worth_a_look(auto.chosen(found)):
        return found
    there = {card.name: told for card in devices if (told := device_facts(card, request)) is not None}
    if not there:
        return found
    return here(cards, missing=_missing, devices=there)


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
    exact = Precision.DOUBLE if request.wants.exact else Precision.SINGLE
    precision = request.wants.precision or exact
    if precision not in engine.card.precisions:
        precision = engine.card.precisions[0]
    return DeviceFacts(rates(engine, precision, 1), engine.memory_available_bytes())


def _is_plain(circuit: Circuit, request: RunRequest) -> bool:
    """Whether the state vector can run it whatever else there is to know."""
    return not request.density_matrix and (circuit.is_unitary or not contains(circuit.instructions, CHANNEL))


def _of_cone(circuit: Circuit, request: RunRequest) -> tuple[Found, Choice | None]:
    """What one part finds, on the backend that suits it."""
    if _is_plain(circuit, request) and len(circuit) << circuit.num_qubits <= SMALL_WORK:
        return find_on(circuit, request, loaded(QuantumBackend.STATEVECTOR)), QUICK
    return _automatic(circuit, request, traits(circuit, supports(request)))


def _automatic(circuit: Circuit, request: RunRequest, facts: Traits) -> tuple[Found, Choice | None]:
    """Run on the cheapest backend; when memory is refused there, on the next."""
    choice = choose_backend(circuit, facts, request)
    if choice is None:
        return _last_resort(circuit, facts, request), None
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


def _last_resort(circuit: Circuit, facts: Traits, request: RunRequest) -> Found:
    """The state vector in single precision, where only the memory for double is missing.

    Raises:
        TooLargeError: some backend only lacks memory; the one that lacks least.
        BackendRefusalError: no backend can run it, and why each cannot.
    """
    considered = consider(circuit, facts, request)
    told = "; ".join(f"{each.name}: {each.refused}" for each in considered)
    advice = _other_ways(None, facts, request)
    short = {each.name: each.cost for each in considered if each.cost and _lacks_memory(each)}
    if QuantumBackend.STATEVECTOR in short:
        try:
            return find_on(circuit, request, loaded(QuantumBackend.STATEVECTOR))
        except TooLargeError as problem:
            hints = [problem.hint, advice, f"what AUTO looked at: {told}"]
            problem.hint = "; or ".join(each for each in hints[:2] if each) + f" ({hints[2]})"
            raise
    if short:
        name = min(short, key=lambda each: short[each].memory_bytes)
        raise TooLargeError(
            f"this run of {facts.num_qubits} qubits on the {name} backend",
            needed_bytes=short[name].memory_bytes,
            available_bytes=int(memory_available_bytes() * limits.MEMORY_SHARE_MAX),
            hint=f"{advice or NO_WAY} (what AUTO looked at: {told})",
        )
    raise BackendRefusalError(f"AUTO finds no backend for this circuit: {told}", hint=advice or NO_WAY)


def _lacks_memory(each: Considered) -> bool:
    """Whether memory is what one lacks, by its cost."""
    return each.cost is not None and not fits(each.cost.memory_bytes, memory_available_bytes())


NO_WAY = "no backend can run it here; change the circuit or the request"


def _other_ways(card: BackendCard | None, facts: Traits, request: RunRequest) -> str:
    """Who else could run it here, memory included; if nobody, who could with a number of shots, or with
    fewer, or with less accuracy. Empty when nothing helps."""
    wants, room = request.wants, memory_available_bytes()
    others = [row.card for row in BACKENDS.values() if row.card is not card and not missing_package(row.card)]
    able = [] if card is None else auto.able(facts, wants, others, room)
    if able:
        return "these can: " + ", ".join(able)
    everyone = [row.card for row in BACKENDS.values() if not missing_package(row.card)]
    rough = auto.able(facts, wants, everyone, room) if card is None else []
    if rough:
        return f"named, or with a larger accuracy=, these can: {', '.join(rough)}"
    for shots in (limits.SHOTS_DEFAULT,) if not wants.shots else (limits.SHOTS_DEFAULT, 1):
        able = auto.able(facts, replace(wants, shots=shots), everyone, room) if shots != wants.shots else []
        if able and (not wants.shots or shots < wants.shots):
            return f"with shots={shots} these can: " + ", ".join(able)
    return ""


def check_named(card: BackendCard, facts: Traits, request: RunRequest) -> None:
    """Refuse what the backend cannot do, naming those that can."""
    why = auto.refusal(card, facts, request.wants)
    package = missing_package(card)
    if not why and package:
        raise MissingExtraError(f"the {card.name} backend", package=package, extra=card.extra)
    if not why:
        return
    raise BackendRefusalError(
        f"the {card.name} backend cannot run this circuit: {why}",
        hint=_other_ways(card, facts, request) or NO_WAY,
    )


def check_options(name: QuantumBackend, options: object) -> None:
    """Refuse options of another backend than the one that was named."""
    given = type(options).__name__
    takers = {row.card.options: row.card.name for row in BACKENDS.values() if row.card.options is not None}
    own = next((taker for kind, taker in takers.items() if isinstance(options, kind)), None)
    if name is QuantumBackend.AUTO:
        raise RequestError(
            f"options={given}(...) needs the backend that it is for; this run leaves the choice to AUTO",
            hint=f"add backend={own!r}" if own else "name the backend, or leave options out",
        )
    wanted = BACKENDS[name].card.options
    if wanted is None or not isinstance(options, wanted):
        takes = f"takes {wanted.__name__}" if wanted is not None else "has no options of its own"
        raise RequestError(
            f"options is of type {given}; the {name} backend {takes}",
            hint=f"these options are for backend={own!r}" if own else "leave options out",
        )


def _missing(card: BackendCard) -> str:
    package = missing_package(card)
    return f'it needs {package}: pip install "qrealm[{card.extra}]"' if package else ""


def machine_rates(request: RunRequest) -> Rates:
    """What this machine was measured to do in the state-vector kernel: the scale of every cost."""
    threads = request.planning.threads or cores_default()
    exact = Precision.DOUBLE if request.wants.exact else Precision.SINGLE
    engine = steered(QuantumBackend.STATEVECTOR, "AUTO")
    return rates(engine, request.wants.precision or exact, threads)


def supports(request: RunRequest) -> list[frozenset[int]] | None:
    """Qubits of each term, when nothing but exact values is asked."""
    wants = request.wants
    if wants.shots or wants.statevector or wants.density_matrix or wants.amplitudes or not wants.values:
        return None
    masks = {x | z for _, observable in request.observables for x, z, _ in observable.strings()}
    return [frozenset(q for q in range(mask.bit_length()) if mask >> q & 1) for mask in masks]


__all__ = [
    "SMALL_WORK",
    "carry_out",
    "check_named",
    "check_options",
    "choose_backend",
    "consider",
    "machine_rates",
    "supports",
]
