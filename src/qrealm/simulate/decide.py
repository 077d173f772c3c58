"""Where a run goes: to the backend that was named, or to the one that AUTO picks."""

from __future__ import annotations

from qrealm.base.errors import BackendRefusalError, MissingExtraError, ResourceError
from qrealm.base.machine import cores_default, memory_available_bytes
from qrealm.circuits import Circuit
from qrealm.circuits.operations import CHANNEL, IF, Instruction
from qrealm.simulate.backends import BACKENDS, QuantumBackend, loaded, missing_package, steered
from qrealm.simulate.calibrate import rates
from qrealm.simulate.execute import execute
from qrealm.simulate.plan import auto
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.plan.types import BackendCard, Choice, Precision, Rates, Traits
from qrealm.simulate.request import RunRequest
from qrealm.simulate.results import Result

SMALL_WORK = 1 << 24
"""Gates times amplitudes up to which the state vector is taken unasked: it needs less than 10 ms for them,
and nothing else could be much faster."""


def carry_out(circuit: Circuit, request: RunRequest) -> Result:
    """Run a bound circuit where the request says.

    Raises:
        BackendRefusalError: the named backend cannot run it, or none can.
        TooLargeError, ResourceError: it does not fit.
        MissingExtraError: the named backend needs a package that is not installed.
    """
    name = request.backend
    if name in (QuantumBackend.AUTO, QuantumBackend.STATEVECTOR) and _is_plain(circuit, request):
        if name is QuantumBackend.STATEVECTOR or len(circuit) << circuit.num_qubits <= SMALL_WORK:
            return execute(circuit, request, loaded(QuantumBackend.STATEVECTOR))
    facts = traits(circuit, supports(request))
    if name is not QuantumBackend.AUTO:
        check_named(BACKENDS[name].card, facts, request)
        return execute(circuit, request, loaded(name))
    return _automatic(circuit, request, facts)


def choose_backend(facts: Traits, request: RunRequest) -> Choice | None:
    """What AUTO takes for such a circuit; None when nothing can run it."""
    wants = request.wants
    return auto.pick(
        facts,
        wants,
        [row.card for row in BACKENDS.values() if row.card.automatic],
        machine_rates(request),
        missing=_missing,
        memory_available_bytes=memory_available_bytes(),
    )


def has_noise(instructions: tuple[Instruction, ...]) -> bool:
    """Whether a channel stands in the instructions, or inside a condition."""
    return any(
        op is CHANNEL or (op is IF and (has_noise(args[1]) or has_noise(args[2])))
        for op, _, args in instructions
    )


def _is_plain(circuit: Circuit, request: RunRequest) -> bool:
    """Whether the state vector can run it whatever else there is to know."""
    return not request.density_matrix and (circuit.is_unitary or not has_noise(circuit.instructions))


def _automatic(circuit: Circuit, request: RunRequest, facts: Traits) -> Result:
    """Run on the cheapest backend; when memory is refused there, on the next."""
    choice = choose_backend(facts, request)
    if choice is None:
        check_named(BACKENDS[QuantumBackend.STATEVECTOR].card, facts, request)
        # The state vector only lacks the memory, and says best how much.
        return execute(circuit, request, loaded(QuantumBackend.STATEVECTOR))
    warnings: list[str] = []
    able = [each for each in choice.considered if not each.refused]
    for place, each in enumerate(able):
        try:
            result = execute(circuit, request, loaded(QuantumBackend(each.name)), choice, tuple(warnings))
        except ResourceError as problem:
            if place + 1 == len(able):
                raise
            warnings.append(
                f"{each.name} was chosen and ran out of memory ({problem.message}); fell back to "
                f"{able[place + 1].name}"
            )
            continue
        return result
    raise AssertionError("a choice names at least one backend")


def check_named(card: BackendCard, facts: Traits, request: RunRequest) -> None:
    """Refuse what the backend cannot do, naming those that can."""
    why = auto.refusal(card, facts, request.wants)
    package = missing_package(card)
    if not why and package:
        raise MissingExtraError(f"the {card.name} backend", package=package, extra=card.extra)
    if not why:
        return
    others = [row.card for row in BACKENDS.values() if row.card is not card]
    able = [other.name for other in others if not auto.refusal(other, facts, request.wants)]
    raise BackendRefusalError(
        f"the {card.name} backend cannot run this circuit: {why}",
        hint="these can: " + ", ".join(able) if able else "no backend can; change the circuit or the request",
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
    "choose_backend",
    "has_noise",
    "machine_rates",
    "supports",
]
