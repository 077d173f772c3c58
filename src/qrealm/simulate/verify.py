"""`verify`: the same circuits on every backend, held against exact answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from qrealm.base import cancel
from qrealm.base.errors import BackendRefusalError, QrealmError, RequestError, ResourceError
from qrealm.circuits import Circuit, read
from qrealm.simulate.backends import BACKENDS, QuantumBackend, backend_named, missing_package
from qrealm.simulate.plan import auto
from qrealm.simulate.plan.traits import traits
from qrealm.simulate.request import check_seed, check_shots, draw_seed, make_request
from qrealm.simulate.results import Result
from qrealm.simulate.run import run
from qrealm.simulate.verify_circuits import Case, given, standard

QUBITS_DEFAULT = 18
"""Width of the wide circuits: every simulator of state vectors takes it in a second or so."""

SHOTS_DEFAULT = 4096

LIMITS = {"single": 1e-4, "double": 1e-9}
"""Largest deviation of an amplitude or value that rounding explains, by precision: circuits of the standard
set have some sixty gates, and each adds about one unit in the last place."""

FALSE_ALARM = 1e-6
"""Probability that a whole report of right backends finds any chi-squared test failed: each test gets its
share of it (Bonferroni)."""

EXPECTED_MIN = 5.0
"""Outcomes expected less often than this are counted together, as the chi-squared test needs."""

Progress = Callable[[int, int, str], None]
"""Called with (done, all, what comes next)."""


@dataclass(frozen=True, slots=True)
class VerifyRow:
    """One comparison.

    Attributes:
        circuit: name of the circuit.
        num_qubits: its qubits.
        backend: name of the backend.
        measure: ``"amplitudes"`` (largest difference of an amplitude, global phase included where the backend
            has one), ``"values"`` (largest difference of a Pauli string's value) or ``"chi-squared"``
            (p-value of the counts).
        deviation: the number; None when the comparison did not take place.
        limit: the most that passes; for a p-value the least.
        passed: whether it passed; None when it did not take place.
        seconds: wall time of the run.
        note: why it did not take place or failed, or what a limit has in it.
        warnings: what the run warned of.
    """

    circuit: str
    num_qubits: int
    backend: str
    measure: str
    deviation: float | None
    limit: float | None
    passed: bool | None
    seconds: float
    note: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` found.

    Attributes:
        rows: every comparison, in the order in which it was made.
        seed, shots: repeat it.
        seconds: wall time of everything.
    """

    rows: tuple[VerifyRow, ...]
    seed: int
    shots: int
    seconds: float

    @property
    def failures(self) -> tuple[VerifyRow, ...]:
        """Comparisons that deviate."""
        return tuple(row for row in self.rows if row.passed is False)

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing deviates."""
        return not self.failures and any(row.passed for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-ready values."""
        return {"passed": self.passed, **asdict(self)}


def verify(
    backends: Iterable[str | QuantumBackend] | None = None,
    *,
    qubits: int = QUBITS_DEFAULT,
    circuits: Mapping[str, Any] | Iterable[Any] | None = None,
    shots: int = SHOTS_DEFAULT,
    seed: int | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Run the same circuits on every backend, and compare with answers that no backend had a part in.

    Circuits of a few qubits are multiplied out by plain NumPy from the matrices of the gate table; wide ones
    have closed forms. Exact results are compared number by number; counts by a chi-squared test.

    Args:
        backends: names; all when None. What a backend cannot run, or lacks a package for, is told in the
            report and is no failure.
        qubits: width of the standard set's wide circuits, 4 to 62.
        circuits: circuits of your own instead of the standard set, by name or in a row: up to 12 qubits, up
            to 6 with noise or decisions half-way.
        shots: samples of each chi-squared test.
        seed: the same seed gives the same report; None draws one.
        progress: called before each run with (done, all, what comes next).

    Raises:
        UnknownBackendError: a name that is none.
        RequestError: an option out of range, or a circuit too wide to be multiplied out.
        ParameterError: a circuit whose parameters are not bound.
        ReadError: a circuit that cannot be read.
    """
    begun = perf_counter()
    names = _names(backends)
    cases = _cases(circuits, qubits)
    number = check_shots(shots)
    if number < 100:
        raise RequestError(f"verify got shots={number}; the rule is at least 100, for a chi-squared test")
    root = draw_seed() if seed is None else check_seed(seed)
    rows: list[VerifyRow] = []
    pairs = [(case, name) for name in names for case in cases]
    for done, (case, name) in enumerate(pairs):
        cancel.check()
        if progress is not None:
            progress(done, len(pairs), f"{name}: {case.name}")
        package = missing_package(BACKENDS[name].card)
        if package:
            command = f'pip install "qrealm[{BACKENDS[name].card.extra}]"'
            rows.append(_skipped(case, name, "", f"it needs {package}: {command}"))
            continue
        rows += _compared(case, name, number, root + done & (1 << 64) - 1)
    if progress is not None:
        progress(len(pairs), len(pairs), "")
    return VerifyReport(_judged(rows), root, number, perf_counter() - begun)


def _names(backends: Iterable[str | QuantumBackend] | None) -> list[QuantumBackend]:
    if backends is None:
        return list(BACKENDS)
    if isinstance(backends, str):
        backends = [backends]
    names = list(dict.fromkeys(backend_named(name) for name in backends))
    if QuantumBackend.AUTO in names:
        raise RequestError(
            "verify got the backend 'auto'; the rule is the names of backends",
            hint="leave backends out to verify all of them",
        )
    return names


def _cases(circuits: Mapping[str, Any] | Iterable[Any] | None, qubits: int) -> list[Case]:
    if circuits is None:
        if not 4 <= qubits <= 62:
            raise RequestError(f"verify got qubits={qubits}; the rule is 4 to 62")
        return standard(qubits)
    if isinstance(circuits, Circuit):
        circuits = [circuits]
    if not isinstance(circuits, Mapping):
        listed = [each if isinstance(each, Circuit) else read(each) for each in circuits]
        names = [each.name or f"circuit {place}" for place, each in enumerate(listed)]
        circuits = {  # one of a name that came before gets its place
            name if names.index(name) == place else f"{name} ({place})": each
            for place, (name, each) in enumerate(zip(names, listed, strict=True))
        }
    return [given(name, each if isinstance(each, Circuit) else read(each)) for name, each in circuits.items()]


# ---- one circuit on one backend ------------------------------------------------------------------


def _compared(case: Case, name: QuantumBackend, shots: int, seed: int) -> list[VerifyRow]:
    """One exact comparison, the strictest that the backend allows, and one of counts."""
    exact: list[tuple[str, int, dict[str, Any]]] = []
    if case.state is not None:
        exact.append(("amplitudes", 0, {"return_statevector": True}))
    if case.observables:
        wanted = {"observables": list(case.observables)}
        exact += [("values", 0, wanted), ("values", shots, wanted)]  # the latter are estimates where need be
    rows = []
    refused: list[VerifyRow] = []
    for measure, number, wanted in exact:
        row = _one(case, name, measure, number, seed, wanted)
        if row.passed is not None or row.deviation is not None:
            rows.append(row)
            break
        refused.append(row)
    if case.counted:
        row = _one(case, name, "chi-squared", shots, seed, {})
        (rows if row.deviation is not None or row.passed is not None else refused).append(row)
    return rows or refused[-1:]


def _one(
    case: Case, name: QuantumBackend, measure: str, shots: int, seed: int, wanted: dict[str, Any]
) -> VerifyRow:
    why = _refusal(case.circuit, name, shots, wanted)
    if why:
        return _skipped(case, name, measure, why)
    begun = perf_counter()
    try:
        result = run(case.circuit, shots, seed=seed, backend=name, **wanted)
    except (BackendRefusalError, ResourceError) as problem:
        return _skipped(case, name, measure, problem.message)
    except QrealmError as problem:
        row = _skipped(case, name, measure, f"{type(problem).__name__}: {problem.message}")
        return replace(row, passed=False, seconds=perf_counter() - begun)
    seconds = perf_counter() - begun
    deviation, limit, note = _deviation(case, measure, result)
    return VerifyRow(
        case.name,
        case.circuit.num_qubits,
        name.value,
        measure,
        deviation,
        limit,
        None,
        seconds,
        note,
        tuple(result.metadata["warnings"]),
    )


def _refusal(circuit: Circuit, name: QuantumBackend, shots: int, wanted: dict[str, Any]) -> str:
    request = make_request(
        circuit.num_qubits,
        shots=shots,
        seed=0,
        precision=None,
        threads=None,
        return_statevector=bool(wanted.get("return_statevector")),
        observables=wanted.get("observables"),
        amplitudes=None,
        sampled=False,
        bit_order="little",
        backend=name,
    )
    return auto.refusal(BACKENDS[name].card, traits(circuit), request.wants)


def _deviation(case: Case, measure: str, result: Result) -> tuple[float, float | None, str]:
    """(deviation, limit, what to note); the limit of a p-value is known when all tests are counted."""
    if measure == "chi-squared":
        outcomes, draws = result.outcomes
        return (*_chi_squared(outcomes, draws, case.probabilities), "")
    truncated = result.truncation_error or 0.0
    limit = LIMITS[result.metadata["precision"]] + 2 * truncated**0.5
    note = f"truncation error {truncated:.2g}" if truncated else ""
    if measure == "amplitudes":
        assert result.statevector is not None  # it was asked for
        assert case.state is not None
        state = result.statevector
        if not BACKENDS[QuantumBackend(result.metadata["backend"])].card.global_phase:
            overlap = np.vdot(state, case.state)
            state = state * (overlap / abs(overlap)) if abs(overlap) else state
            note = "up to a global phase"
        return float(np.abs(state - case.state).max()), limit, note
    found = result.expectation_values
    worst = max(abs(found[text] - want) for text, want in case.values.items())
    if any(result.standard_errors.values()):
        limit += 6 * max(result.standard_errors.values())  # six standard deviations
        note = "values are estimates"
    return worst, limit, note


def _chi_squared(
    outcomes: Sequence[int], draws: Sequence[int], probabilities: Mapping[int, float]
) -> tuple[float, None]:
    """The p-value of counts; 0 for an outcome that cannot be."""
    from scipy.stats import chi2

    shots = int(sum(draws))
    counted = dict(zip((int(value) for value in outcomes), (int(count) for count in draws), strict=True))
    expected = {outcome: shots * share for outcome, share in probabilities.items() if share > 1e-12}
    if any(outcome not in expected for outcome in counted):
        return 0.0, None
    often = [(count, counted.get(outcome, 0)) for outcome, count in expected.items() if count >= EXPECTED_MIN]
    rare = [(count, counted.get(outcome, 0)) for outcome, count in expected.items() if count < EXPECTED_MIN]
    bins = often
    if rare:
        together = (sum(count for count, _ in rare), sum(seen for _, seen in rare))
        if together[0] >= EXPECTED_MIN or not often:
            bins = [*often, together]
        else:
            bins = [(often[0][0] + together[0], often[0][1] + together[1]), *often[1:]]
    statistic = sum((seen - count) ** 2 / count for count, seen in bins)
    return float(chi2.sf(statistic, len(bins) - 1)) if len(bins) > 1 else 1.0, None


def _skipped(case: Case, name: QuantumBackend, measure: str, why: str) -> VerifyRow:
    return VerifyRow(case.name, case.circuit.num_qubits, name.value, measure, None, None, None, 0.0, why)


def _judged(rows: Sequence[VerifyRow]) -> tuple[VerifyRow, ...]:
    """The rows with their verdicts; each chi-squared test gets its share of `FALSE_ALARM`."""
    tests = sum(row.measure == "chi-squared" and row.deviation is not None for row in rows)
    judged = []
    for row in rows:
        if row.deviation is None:
            judged.append(row)
        elif row.measure == "chi-squared":
            least = FALSE_ALARM / tests
            judged.append(replace(row, limit=least, passed=row.deviation >= least))
        else:
            assert row.limit is not None  # exact comparisons know theirs
            judged.append(replace(row, passed=row.deviation <= row.limit))
    return tuple(judged)
