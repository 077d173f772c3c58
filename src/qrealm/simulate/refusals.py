"""What is said when a backend cannot run something, and who else can; the last that AUTO tries."""

from __future__ import annotations

from dataclasses import replace

from qrealm.base import limits
from qrealm.base.errors import (
    BackendRefusalError,
    MissingExtraError,
    QubitError,
    RequestError,
    TooLargeError,
)
from qrealm.base.machine import memory_available_bytes
from qrealm.circuits import Circuit
from qrealm.simulate.backends import BACKENDS, QuantumBackend, loaded, missing_package
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.execute import find_on
from qrealm.simulate.memory import LEDGER
from qrealm.simulate.plan import auto
from qrealm.simulate.plan.choose import fits
from qrealm.simulate.plan.types import BackendCard, Choice, Considered, Traits
from qrealm.simulate.request import RunRequest

LAST_RESORT = "statevector: by their cards nothing fits in memory; its plan for this very circuit does"
"""How AUTO tells of a run that no card had room for."""

NO_WAY = "no backend can run it here; change the circuit or the request"


def room_bytes() -> int:
    """Memory that a run may count on: what there would be without the others that go on."""
    return LEDGER.alone_bytes(memory_available_bytes)


def missing(card: BackendCard) -> str:
    """What a card's backend still needs, and the command that installs it; empty when nothing."""
    package = missing_package(card)
    return f'it needs {package}: pip install "qrealm[{card.extra}]"' if package else ""


def other_ways(card: BackendCard | None, facts: Traits, request: RunRequest) -> str:
    """Who else could run it here, memory included; if nobody, who could with a number of shots, or with
    fewer, or with less accuracy. Empty when nothing helps."""
    wants, room = request.wants, room_bytes()
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
        hint=other_ways(card, facts, request) or NO_WAY,
    )


def name_others(
    problem: TooLargeError | QubitError, card: BackendCard, facts: Traits, request: RunRequest
) -> None:
    """Add to the hint of a named backend's error who else can run it."""
    advice = other_ways(card, facts, request)
    problem.hint = "; or ".join(each for each in (advice, problem.hint) if each)


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


def last_resort(
    circuit: Circuit, facts: Traits, request: RunRequest, considered: tuple[Considered, ...]
) -> tuple[Found, Choice]:
    """The state vector in single precision, where only the memory for double is missing.

    Args:
        considered: what every card said; none can.

    Raises:
        TooLargeError: some backend only lacks memory; the one that lacks least.
        BackendRefusalError: no backend can run it, and why each cannot.
    """
    told = "; ".join(f"{each.name}: {each.refused}" for each in considered)
    advice = other_ways(None, facts, request)
    room = room_bytes()
    short = {
        each.name: each.cost
        for each in considered
        if each.cost is not None and not fits(each.cost.memory_bytes, room)
    }
    if QuantumBackend.STATEVECTOR in short:
        try:
            found = find_on(circuit, request, loaded(QuantumBackend.STATEVECTOR))
        except TooLargeError as problem:
            hints = "; or ".join(each for each in (advice, problem.hint) if each)
            problem.hint = f"{hints} (what AUTO looked at: {told})"
            raise
        return found, Choice(QuantumBackend.STATEVECTOR.value, LAST_RESORT, considered)
    if short:
        name = min(short, key=lambda each: short[each].memory_bytes)
        raise TooLargeError(
            f"this run of {facts.num_qubits} qubits on the {name} backend",
            needed_bytes=short[name].memory_bytes,
            available_bytes=int(room * limits.MEMORY_SHARE_MAX),
            hint=f"{advice or NO_WAY} (what AUTO looked at: {told})",
        )
    raise BackendRefusalError(f"AUTO finds no backend for this circuit: {told}", hint=advice or NO_WAY)
