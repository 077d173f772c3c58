"""`QrealmBackend`: one of qrealm's backends as Qiskit's BackendV2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options
from qiskit.transpiler import Target

from qrealm.base.errors import RequestError
from qrealm.base.version import installed_version
from qrealm.faces.providers.qiskit.experiments import Experiment, RunOptions, run_experiments
from qrealm.faces.providers.qiskit.jobs import QrealmJob
from qrealm.faces.providers.qiskit.options import check_noise, check_simulator_seed
from qrealm.faces.providers.qiskit.target import build_target
from qrealm.simulate.backends import BACKENDS, QuantumBackend, backend_named
from qrealm.simulate.request import check_precision, check_shots, check_threads

_AUTO_SUMMARY = "picks among the other backends by the circuit"


class QrealmBackend(BackendV2):  # type: ignore[misc]
    """A backend of this machine for Qiskit.

    Args:
        name: ``"auto"`` or a name of `qrealm.QuantumBackend`.
        provider: where it was got from.
        options: new defaults for the options of `run`.

    Raises:
        UnknownBackendError: there is no backend of this name.
        AttributeError: (Qiskit's) an option that `run` does not have.
    """

    def __init__(self, name: str = "auto", provider: Any = None, **options: Any) -> None:
        chosen = backend_named(name)
        auto = chosen is QuantumBackend.AUTO
        if auto:
            self._cards = [row.card for row in BACKENDS.values() if row.card.automatic]
        else:
            self._cards = [BACKENDS[chosen].card]
        super().__init__(
            provider=provider,
            name=chosen.value,
            description=_AUTO_SUMMARY if auto else self._cards[0].summary,
            backend_version=installed_version(),
            **options,
        )

    @classmethod
    def _default_options(cls) -> Options:
        return Options(
            shots=1024,
            seed_simulator=None,
            memory=False,
            return_statevector=False,
            precision="auto",
            threads=None,
            noise=None,
            backend_options=None,
        )

    @cached_property
    def target(self) -> Target:
        """Every gate that is run as it is, on any qubits: `transpile` keeps what need not change."""
        return build_target(self.description, self._cards)

    @property
    def qubits_max(self) -> int:
        """The widest circuit that may be run; `num_qubits` is None where that is more than 64."""
        return max(card.qubits_max for card in self._cards)

    @property
    def max_circuits(self) -> None:
        """None: a job may have any number of circuits."""
        return

    def run(
        self,
        run_input: QuantumCircuit | Sequence[QuantumCircuit],
        parameter_binds: Sequence[Mapping[Any, Any]] | None = None,
        **options: Any,
    ) -> QrealmJob:
        """Run circuits in the background, one after the other.

        Circuits are read before this returns: a later change of them changes nothing here. Qubits that
        nothing happens to are left out, so circuits that are laid out for a wide device run too.

        Args:
            run_input: a circuit or several.
            parameter_binds: for each circuit a dict from its parameters to numbers, or to lists of numbers:
                then there is a result for each entry of the lists, in order.
            options: what is left out is as `options` of the backend says. ``shots``: samples of each
                circuit. ``seed_simulator``: 0 to 2^64 - 1; the same seed gives the same counts. ``memory``:
                keep the outcome of every shot. ``return_statevector``: keep the state before the final
                measurements. ``precision``, ``threads``, ``noise``: as `qrealm.run`. ``backend_options``: its
                `options`.

        Returns:
            A job that runs already. A circuit that has classical bits and measures nothing leaves them 0.

        Raises:
            RequestError: an option is unknown or out of range, or values and parameters do not match.
            ReadError, CircuitError: a circuit cannot be run here.
        """
        chosen = self._checked(options)
        circuits = [run_input] if isinstance(run_input, QuantumCircuit) else _circuits(run_input)
        binds = parameter_binds if parameter_binds else [{}] * len(circuits)
        if isinstance(binds, Mapping) or len(binds) != len(circuits):
            raise RequestError(
                f"parameter_binds is {parameter_binds!r:.60} for {len(circuits)} circuits; the rule is a "
                "list of one dict for each circuit",
                hint="parameter_binds=[{theta: [0.1, 0.2]}]",
            )
        experiments = [
            Experiment.of(circuit, values, chosen) for circuit, values in zip(circuits, binds, strict=True)
        ]
        job = QrealmJob(self, partial(run_experiments, experiments, chosen, self.name))
        job.submit()
        return job

    def __repr__(self) -> str:
        return f"<QrealmBackend {self.name!r}: {self.description}>"

    def _checked(self, options: Mapping[str, Any]) -> RunOptions:
        known = dict(self.options)
        unknown = sorted(name for name in options if name not in known)
        if unknown:
            raise RequestError(
                f"run() of the backend {self.name} got {', '.join(unknown)}; its options are "
                f"{', '.join(sorted(known))}"
            )
        chosen = known | {name: value for name, value in options.items() if value is not None}
        checked = RunOptions(**chosen)
        shots = check_shots(checked.shots)
        check_precision(checked.precision)
        check_threads(checked.threads)
        check_simulator_seed(checked.seed_simulator)
        check_noise(checked.noise)
        if not (shots or checked.return_statevector):
            raise RequestError("shots=0 asks for nothing", hint="ask for shots or return_statevector=True")
        return checked


def _circuits(given: Any) -> list[QuantumCircuit]:
    """A non-empty list of circuits. Raises RequestError."""
    circuits = list(given) if isinstance(given, Sequence) else None
    if not circuits or not all(isinstance(circuit, QuantumCircuit) for circuit in circuits):
        raise RequestError(
            f"run() got {given!r:.60}; the rule is a QuantumCircuit or a list of at least one",
            hint="run texts and other frameworks' circuits with qrealm.run",
        )
    return circuits
