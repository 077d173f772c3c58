"""`Result`: what came out of a run, and how it came about. Read-only; everything costly is made when asked
for."""

from __future__ import annotations

import hashlib
import json
import math
import operator
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError
from qrealm.base.version import installed_version
from qrealm.circuits import PauliSum
from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate import bits
from qrealm.simulate.backends.protocol import SteeredBackend
from qrealm.simulate.bits import BitLayout, BitOrder, Outcomes
from qrealm.simulate.observables import diagonal_masks, parse_observable
from qrealm.simulate.plan.types import Choice, Plan

_NO_VALUES: dict[str, float] = {}
_NO_AMPLITUDES: dict[int, complex] = {}


class SampledValue(NamedTuple):
    """A mean over shots and its standard error (0 when a single value leaves no spread to see)."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a result came about; the raw material of `Result.metadata`.

    Attributes:
        plan: the run's plan.
        seed: the seed that repeats it.
        seed_was_given: whether the caller chose the seed.
        seconds: wall time of the run, reading not included.
        packed: what was run, in one piece; None when it was executed segment by segment.
        circuit_digest: the circuit's digest where there is no `packed`.
        backend: where `packed` was run, and can be compiled again to tell its plan; else None. The compiled
            program itself is not kept: it can be many times larger than the circuit.
        branches: outcomes of half-way measurements that were followed; 0 when there are none.
        details: what the backend tells of the run.
        warnings: what the user should know.
        choice: how AUTO chose; None when the backend was named, or the circuit too small to ask.
    """

    plan: Plan
    seed: int
    seed_was_given: bool
    seconds: float
    packed: PackedCircuit | None
    circuit_digest: str
    backend: SteeredBackend | None
    branches: int
    details: Mapping[str, object]
    warnings: tuple[str, ...]
    choice: Choice | None


class Result:
    """Counts, state, amplitudes and expectation values of one run.

    Bit strings have qubit 0 rightmost, as Qiskit prints them, unless the run asked for ``bit_order="big"``.
    What the run was not asked for is empty or None.
    """

    __slots__ = (
        "_amplitudes",
        "_bit_order",
        "_counts",
        "_density_matrix",
        "_draws",
        "_errors",
        "_layout",
        "_metadata",
        "_num_qubits",
        "_outcomes",
        "_provenance",
        "_shots",
        "_statevector",
        "_values",
    )

    def __init__(
        self,
        *,
        num_qubits: int,
        shots: int,
        layout: BitLayout,
        bit_order: BitOrder,
        outcomes: Outcomes,
        draws: NDArray[np.int64],
        provenance: Provenance,
        statevector: NDArray[np.complex128] | NDArray[np.complex64] | None = None,
        density_matrix: NDArray[np.complex128] | NDArray[np.complex64] | None = None,
        amplitudes: Mapping[int, complex] = _NO_AMPLITUDES,
        values: Mapping[str, float] = _NO_VALUES,
        errors: Mapping[str, float] = _NO_VALUES,
    ) -> None:
        self._num_qubits = num_qubits
        self._shots = shots
        self._layout = layout
        self._bit_order = bit_order
        self._outcomes = outcomes
        self._draws = draws
        self._provenance: Provenance | None = provenance
        for array in (statevector, density_matrix):
            if array is not None:
                array.flags.writeable = False
        self._statevector = statevector
        self._density_matrix = density_matrix
        self._amplitudes = amplitudes
        self._values = values
        self._errors = errors
        self._counts: dict[str, int] | None = None
        self._metadata: dict[str, Any] | None = None

    # ---- samples ---------------------------------------------------------------------------------

    @property
    def num_qubits(self) -> int:
        """Qubits of the circuit."""
        return self._num_qubits

    @property
    def shots(self) -> int:
        """Samples drawn."""
        return self._shots

    @property
    def bit_order(self) -> BitOrder:
        """``"little"``: bit 0 is rightmost in every bit string; ``"big"``: leftmost."""
        return self._bit_order

    @property
    def counts(self) -> dict[str, int]:
        """How often each outcome was drawn, by bit string, in ascending order of its value; empty without
        shots.

        The bits are the classical bits of the circuit, registers separated by spaces; all qubits when the
        circuit measures nothing itself.
        """
        if self._counts is None:
            texts = bits.to_strings(self._outcomes, self._layout, self._bit_order)
            self._counts = dict(zip(texts, self._draws.tolist(), strict=True))
        return dict(self._counts)

    @property
    def outcomes(self) -> tuple[list[int], list[int]]:
        """(distinct outcomes as integers, ascending; how often each was drawn): the counts without their
        strings."""
        outcomes = self._outcomes
        values = outcomes.tolist() if isinstance(outcomes, np.ndarray) else list(outcomes)
        return values, self._draws.tolist()

    def probabilities(self) -> dict[str, float]:
        """Probability of each outcome: shares of the shots; without shots, exact from the state.

        Raises:
            RequestError: the run had neither shots nor a state vector or density matrix.
        """
        if self._shots:
            return {key: count / self._shots for key, count in self.counts.items()}
        if self._statevector is not None:
            weights = np.abs(self._statevector.astype(np.complex128)) ** 2
        elif self._density_matrix is not None:
            weights = np.diagonal(self._density_matrix).real.astype(np.float64)
        else:
            raise RequestError(
                "probabilities() needs shots or a state; the run had neither",
                hint="run with shots=1000, or with return_statevector=True",
            )
        likely = np.flatnonzero(weights > 0).astype(np.uint64)
        layout = BitLayout((("q", self._num_qubits),), tuple(range(self._num_qubits)))
        texts = bits.to_strings(likely, layout, self._bit_order)
        return dict(zip(texts, weights[likely.astype(np.int64)].tolist(), strict=True))

    @property
    def most_frequent(self) -> str:
        """The outcome drawn most often; of several, the one with the smallest value. Raises RequestError
        without shots."""
        self._need_shots("most_frequent")
        most = int(np.argmax(self._draws))
        values = self._outcomes[most : most + 1]
        return bits.to_strings(values, self._layout, self._bit_order)[0]

    def marginal(self, qubits: Sequence[int]) -> dict[str, int]:
        """Counts of some qubits alone; the first of `qubits` becomes bit 0.

        Raises:
            RequestError: no shots were taken, a qubit is out of range, named twice or not measured at the
                end.
        """
        self._need_shots("marginal()")
        positions = self._positions(qubits, "marginal()")
        values, draws = self.outcomes
        picked = (
            sum(((value >> source) & 1) << target for target, source in enumerate(positions))
            for value in values
        )
        outcomes, merged = bits.merge(picked, draws)
        layout = BitLayout((("q", len(positions)),), ())
        return dict(zip(bits.to_strings(outcomes, layout, self._bit_order), merged.tolist(), strict=True))

    def sampled_expectation(self, observable: PauliSum | str) -> SampledValue:
        """Mean of a diagonal observable (only I and Z) over the shots, with its standard error.

        Raises:
            RequestError: no shots were taken, or a term has an X or Y (run with ``sampled=True`` for those).
            ObservableError: the observable cannot be read.
        """
        self._need_shots("sampled_expectation()")
        terms = diagonal_masks(parse_observable(observable, self._num_qubits))
        values, draws = self.outcomes
        readings = np.zeros(len(values))
        for mask, coefficient in terms:
            wanted = [qubit for qubit in range(self._num_qubits) if (mask >> qubit) & 1]
            clbit_mask = sum(1 << position for position in self._positions(wanted, "sampled_expectation()"))
            signs = np.array([1 - 2 * ((value & clbit_mask).bit_count() & 1) for value in values])
            readings += coefficient * signs
        weights = np.asarray(draws) / self._shots
        mean = float(weights @ readings)
        variance = float(weights @ (readings - mean) ** 2)
        spread = math.sqrt(variance / (self._shots - 1)) if self._shots > 1 else 0.0
        return SampledValue(mean, spread)

    # ---- amplitudes and observables --------------------------------------------------------------

    @property
    def statevector(self) -> NDArray[np.complex128] | NDArray[np.complex64] | None:
        """Amplitudes before the final measurements, shape (2^n,), entry i for basis index i (qubit q is bit
        q); read-only.

        complex64 or complex128 by the run's precision; None unless the run had ``return_statevector=True``.
        """
        return self._statevector

    @property
    def density_matrix(self) -> NDArray[np.complex128] | NDArray[np.complex64] | None:
        """The mixed state before the final measurements, shape (2^n, 2^n), entry [i, j] = <i|rho|j>;
        read-only. None unless the run had ``return_density_matrix=True``."""
        return self._density_matrix

    @property
    def truncation_error(self) -> float | None:
        """What an approximation threw away, as a share of the state's weight; None for exact backends."""
        made = self._provenance  # read first: another thread may be making the metadata
        told = self._metadata if made is None else made.details
        assert told is not None  # only a result that has its metadata has no provenance
        found: Any = told.get("truncation_error")
        return None if found is None else float(found)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the run that its numbers do not show, such as an approximation that threw away
        more than ``accuracy`` allows."""
        made = self._provenance
        if made is not None:
            return made.warnings
        assert self._metadata is not None  # one of the two is there
        return tuple(self._metadata["warnings"])

    def amplitudes(self, bitstrings: Iterable[str] | None = None) -> dict[str, complex]:
        """Amplitudes of chosen basis states of all qubits; those that the run was asked for when None.

        Raises:
            RequestError: one was neither asked for nor can be taken from a state vector, or is no bit string.
        """
        layout = BitLayout((("q", self._num_qubits),), ())
        if bitstrings is None:
            texts = bits.to_strings(list(self._amplitudes), layout, self._bit_order)
            return dict(zip(texts, self._amplitudes.values(), strict=True))
        wanted = bits.check_texts(bitstrings, "amplitudes")
        return {text: self._amplitude(text) for text in wanted}

    def _amplitude(self, text: str) -> complex:
        index = bits.from_string(text, self._num_qubits, self._bit_order)
        if self._statevector is not None:
            return complex(self._statevector[index])
        if index not in self._amplitudes:
            raise RequestError(
                f"the run kept no amplitude of {text!r}",
                hint=f'run with amplitudes=["{text}"] or return_statevector=True',
            )
        return self._amplitudes[index]

    @property
    def expectation_values(self) -> dict[str, float]:
        """Value of each observable that the run was asked for, by its name or text."""
        return dict(self._values)

    @property
    def standard_errors(self) -> dict[str, float]:
        """Standard error of each expectation value: 0 where it is exact."""
        return {name: self._errors.get(name, 0.0) for name in self._values}

    # ---- the record ------------------------------------------------------------------------------

    @property
    def metadata(self) -> dict[str, Any]:
        """How the result came about: backend, precision, threads, seed, versions, plan, memory, times.

        Keys: ``backend``, ``precision``, ``threads``, ``seed`` (repeats the run), ``seed_was_given``,
        ``shots``, ``bit_order``, ``num_qubits``, ``circuit_digest``, ``plan`` (the account of a backend that
        compiles or doubles the circuit; absent elsewhere), ``plan_digest``, ``branches``, ``state_bytes``,
        ``memory_bytes``, ``seconds``, ``reasons``, ``considered`` (the backends that AUTO asked, with what
        they would have cost; empty where it asked none), ``warnings``, ``versions``, and what the backend
        adds, such as ``truncation_error``.
        """
        made = self._provenance  # read first: another thread may be making the metadata
        if self._metadata is None:
            assert made is not None  # only a result that has its metadata has none
            self._metadata = self._make_metadata(made)
            self._provenance = None
        return dict(self._metadata)

    def to_dict(self, *, state: bool = True) -> dict[str, Any]:
        """Everything as JSON-ready values; a state is two lists, ``real`` and ``imag``.

        Args:
            state: whether the state vector or density matrix is put in, if there is one.
        """
        record: dict[str, Any] = {
            "num_qubits": self._num_qubits,
            "shots": self._shots,
            "bit_order": self._bit_order,
            "counts": self.counts,
            "expectation_values": self.expectation_values,
            "standard_errors": self.standard_errors,
            "amplitudes": {key: [value.real, value.imag] for key, value in self.amplitudes().items()},
            "metadata": self.metadata,
        }
        for name, array in (("statevector", self._statevector), ("density_matrix", self._density_matrix)):
            if state and array is not None:
                record[name] = {"real": array.real.tolist(), "imag": array.imag.tolist()}
        return record

    def to_json(self, indent: int | None = None) -> str:
        """`to_dict()` as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def plot(self, path: str | Path, *, title: str = "", bars_max: int = 32) -> Path:
        """Save a histogram of the counts; the ending of `path` picks the format (png, svg, pdf).

        Args:
            path: the file to write.
            title: text above the axes.
            bars_max: outcomes shown; of the rarest beyond it, number and share are told.

        Raises:
            MissingExtraError: matplotlib is not installed; it comes with ``pip install "qrealm[plot]"``.
            RequestError: no shots were taken, or the file's ending is no picture format.
        """
        from qrealm.simulate.pictures import save_histogram

        self._need_shots("plot()")
        return save_histogram(self.counts, Path(path), shots=self._shots, title=title, bars_max=bars_max)

    def __repr__(self) -> str:
        parts = [f"{self._num_qubits} qubits", f"{self._shots} shots"]
        if self._shots:
            parts.append(f"{len(self._draws)} outcomes")
        if self._statevector is not None:
            parts.append("state vector")
        if self._values:
            parts.append(f"{len(self._values)} expectation values")
        parts += [f"warning: {line}" for line in self.warnings]
        return f"<Result: {', '.join(parts)}>"

    def __getstate__(self) -> dict[str, Any]:
        # A compiled program stays in its process; what it tells goes along.
        state = {name: getattr(self, name) for name in self.__slots__}
        state.update(_metadata=self.metadata, _provenance=None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        for array in (self._statevector, self._density_matrix):
            if array is not None:
                array.flags.writeable = False

    # ---- inside ----------------------------------------------------------------------------------

    def _need_shots(self, what: str) -> None:
        if not self._shots:
            raise RequestError(f"{what} needs samples, and the run had shots=0", hint="run with shots=1000")

    def _positions(self, qubits: Sequence[int], what: str) -> list[int]:
        """The bit of each qubit in an outcome."""
        try:
            wires = [operator.index(qubit) for qubit in qubits]
        except TypeError:
            raise RequestError(
                f"{what} got {qubits!r:.60}; it must be a sequence of qubits, such as [0, 2]"
            ) from None
        if len(set(wires)) != len(wires):
            raise RequestError(f"{what} got qubits {wires}; none may be named twice")
        found: list[int] = []
        for qubit in wires:
            if not 0 <= qubit < self._num_qubits:
                raise RequestError(
                    f"{what} got qubit {qubit}; the circuit has qubits 0 to {self._num_qubits - 1}"
                )
            position = self._layout.bit_of_qubit[qubit]
            if position < 0:
                raise RequestError(
                    f"{what} got qubit {qubit}, which the circuit does not measure at its end",
                    hint="measure it, or drop it from the question",
                )
            found.append(position)
        return found

    def _make_metadata(self, made: Provenance) -> dict[str, Any]:
        digest = made.packed.digest if made.packed is not None else made.circuit_digest
        described: dict[str, object] = {}
        if made.packed is not None and made.backend is not None:
            described = made.backend.compile(made.packed, made.plan.precision).describe()
        return {
            "backend": made.plan.backend,
            "precision": made.plan.precision.value,
            "threads": made.plan.threads,
            "seed": made.seed,
            "seed_was_given": made.seed_was_given,
            "shots": self._shots,
            "bit_order": self._bit_order,
            "num_qubits": self._num_qubits,
            "circuit_digest": digest,
            **({"plan": described} if described else {}),
            "plan_digest": _plan_digest(made.plan, digest),
            "branches": made.branches,
            "state_bytes": made.plan.state_bytes,
            "memory_bytes": made.plan.memory_bytes,
            "seconds": made.seconds,
            "reasons": [*([made.choice.why] if made.choice else []), *made.plan.reasons],
            "considered": told_of(made.choice),
            "warnings": list(made.warnings),
            "versions": versions(),
            **made.details,
        }


def told_of(choice: Choice | None) -> list[dict[str, Any]]:
    """The backends that AUTO looked at, JSON-ready."""
    return [
        {
            "backend": each.name,
            "seconds": each.cost.seconds if each.cost else None,
            "memory_bytes": each.cost.memory_bytes if each.cost else None,
            "refused": each.refused,
        }
        for each in (choice.considered if choice else ())
    ]


def _plan_digest(plan: Plan, circuit_digest: str) -> str:
    """Equal for runs that were carried out the same way: circuit, backend, precision, copies."""
    told = (
        f"{circuit_digest}|{plan.backend}|{plan.precision.value}|{plan.branch_copies}|{installed_version()}"
    )
    return hashlib.sha256(told.encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of what a run depends on."""
    return {"qrealm": installed_version(), "numpy": np.__version__, "python": platform.python_version()}
