"""The density-matrix backend: a mixed state of n qubits as 2n wires of the state-vector kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qrealm.base import limits
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from qrealm.simulate import bits
from qrealm.simulate.backends.density_matrix.card import CARD
from qrealm.simulate.backends.density_matrix.mixed_state import ComplexArray, Machine, MixedState
from qrealm.simulate.backends.density_matrix.mixture import Mixture, mixture_after
from qrealm.simulate.backends.density_matrix.planning import Needs, plan_run
from qrealm.simulate.backends.density_matrix.readings import draw, sampled_values
from qrealm.simulate.backends.density_matrix.shots import ShotWalk
from qrealm.simulate.backends.density_matrix.steps import Course, course, told
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.backends.statevector.run import BACKEND as ENGINE
from qrealm.simulate.execute import layout_of, to_clbits
from qrealm.simulate.leaves import LeafAverages
from qrealm.simulate.misread import detector_of
from qrealm.simulate.plan.types import Plan
from qrealm.simulate.request import RunRequest


class DensityMatrixBackend:
    """Runs whole circuits."""

    card = CARD

    def run(self, circuit: Circuit, request: RunRequest) -> Found:
        """Run a bound circuit; see `WholeBackend.run`.

        Raises:
            TooLargeError: it does not fit; nothing has been allocated.
            RequestError: an exact average over too many outcomes.
        """
        return _Run(circuit, request).found()


class _Run:
    """One run: cut into steps when it is made, carried out by `found`."""

    def __init__(self, circuit: Circuit, request: RunRequest) -> None:
        self._circuit = circuit
        self._request = request
        self._layout = layout_of(circuit)
        self._exact, self._sampled = _courses(circuit, request)
        self._values: dict[str, float] = {}
        self._errors: dict[str, float] = {}
        self._array: ComplexArray | None = None
        self._outcomes: bits.Outcomes = np.zeros(0, dtype=np.uint64)
        self._draws: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._branches = 0

    def found(self) -> Found:
        """Carry it out."""
        count = self._circuit.num_qubits
        plan, reserved = plan_run(count, self._request, self._needs())
        machine = Machine(ENGINE, count, plan.precision, plan.threads)
        with reserved:
            if self._exact is not None:
                self._average(machine)
            if self._sampled is not None:
                self._walk(machine, self._sampled, plan)
        steps = [each for each in (self._exact, self._sampled) if each is not None]
        return Found(
            plan,
            self._layout,
            self._outcomes,
            self._draws,
            self._values,
            self._errors,
            density_matrix=self._array,
            branches=self._branches,
            details={"plan": told(steps)},
        )

    def _needs(self) -> Needs:
        """States and arrays that the worse of both ways holds at once."""
        states, arrays, copies = 1, 0, 0
        if self._exact is not None:
            states = 1 << self._exact.live_bits
            # One array to read a state and one to build it from; mixing two states takes both.
            arrays = 2 if self._exact.loads or states > 1 else int(self._request.density_matrix)
        if self._sampled is not None:
            arrays = max(arrays, 2 if self._sampled.loads else 0)
            copies = self._sampled.decisions
        return Needs(states, arrays, copies)

    # ---- averages --------------------------------------------------------------------------------

    def _average(self, machine: Machine) -> None:
        """All that is exact; the shots too when they part nowhere."""
        assert self._exact is not None
        mixture = mixture_after(machine, self._exact.steps)
        request = self._request
        if request.planning.shots and self._sampled is None:
            (state, _), *_ = mixture.values()
            self._draw(state)
            if request.sampled:
                self._estimate(state)
        if not request.sampled:
            self._values = {name: 0.0 for name, _ in request.observables}
            for state, weight in mixture.values():
                for name, value in state.values(request.observables).items():
                    self._values[name] += weight * value
        if request.density_matrix:
            self._array = _mixed(mixture)

    def _draw(self, state: MixedState) -> None:
        request = self._request
        generator = np.random.default_rng(request.seed)
        drawn = draw(state.probabilities(), request.planning.shots, generator)
        self._outcomes, self._draws = to_clbits(*drawn, self._layout, self._circuit.num_qubits)

    def _estimate(self, state: MixedState) -> None:
        request = self._request
        detector = detector_of(self._circuit, self._layout)
        self._values, self._errors = sampled_values(
            state, request.observables, request.planning.shots, request.seed, detector
        )

    # ---- shots that part -------------------------------------------------------------------------

    def _walk(self, machine: Machine, course_: Course, plan: Plan) -> None:
        """Counts, and averages over the ways taken where there is no exact one."""
        request = self._request
        shots = request.planning.shots
        generator = np.random.default_rng(request.seed)
        outcomes: list[int] = []
        draws: list[int] = []
        estimates = request.observables if self._exact is None and not request.sampled else ()
        averages = LeafAverages(estimates, shots)

        def visit(state: MixedState, clbits: int, taken: int) -> None:
            found, times = _leaf_outcomes(state, course_, clbits, taken, generator)
            outcomes.extend(found)
            draws.extend(times)
            averages.add(taken / shots, state.values(estimates))

        walk = ShotWalk(machine, course_.steps, shots, generator, plan.branch_copies)
        walk.walk(visit)
        self._branches = walk.leaves
        self._outcomes, self._draws = bits.merge(outcomes, draws)
        if estimates:
            self._values, self._errors = averages.found()


def _courses(circuit: Circuit, request: RunRequest) -> tuple[Course | None, Course | None]:
    """(steps for what is exact, steps for shots that part half-way), those that the run needs."""
    shots = request.planning.shots
    sampled = course(circuit, sampled=True) if shots else None
    if sampled is not None and not sampled.decisions:
        return sampled, None  # nothing parts: one state tells all
    if not request.planning.exact:
        return None, sampled
    exact = course(circuit, sampled=False)
    if 1 << exact.live_bits <= limits.BRANCHES_EXACT_MAX:
        return exact, sampled
    if sampled is None or request.density_matrix:
        raise RequestError(
            f"an exact average over the outcomes half-way needs 2^{exact.live_bits} density matrices, one "
            "for each value of the classical bits that conditions look at; the rule is up to "
            f"{limits.BRANCHES_EXACT_MAX}",
            hint="sample instead: ask for observables with shots=10000",
        )
    return None, sampled


def _leaf_outcomes(
    state: MixedState, course_: Course, clbits: int, shots: int, generator: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Outcomes of the shots that ended here, and how often each was drawn."""
    if course_.measured and not course_.final:
        return [clbits], [shots]
    if not course_.measured:
        drawn, times = draw(state.probabilities(), shots, generator)
        return drawn.tolist(), times.tolist()
    drawn, times = draw(state.marginal(tuple(course_.final)), shots, generator)
    places = tuple(course_.final.values())
    kept = clbits & ~sum(1 << bit for bit in places)
    return [kept | moved for moved in bits.scatter(drawn, places)], times.tolist()


def _mixed(mixture: Mixture) -> ComplexArray:
    """The state of the qubits alone."""
    total: ComplexArray | None = None
    for state, weight in mixture.values():
        array = state.to_array()
        if len(mixture) > 1:
            array *= weight
        total = array if total is None else np.add(total, array, out=total)
    assert total is not None  # a mixture holds at least one state
    return total


BACKEND = DensityMatrixBackend()
