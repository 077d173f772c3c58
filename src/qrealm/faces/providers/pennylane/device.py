"""`QrealmDevice`: PennyLane's device interface, carried out by qrealm."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pennylane as qml
from pennylane import measurements as mps
from pennylane.devices import Device, ExecutionConfig
from pennylane.devices import preprocess as steps
from pennylane.devices.modifiers import simulator_tracking, single_tape_support
from pennylane.exceptions import DecompositionUndefinedError, DeviceError
from pennylane.transforms import broadcast_expand, defer_measurements, split_non_commuting
from pennylane.transforms.core import CompilePipeline, transform

from qrealm.base.errors import RequestError
from qrealm.circuits.noise.model import NoiseModel, checked_model
from qrealm.faces.providers.pennylane.derivatives import (
    in_pennylane_form,
    jacobian_vector,
    jacobians,
    keeps_amplitudes,
    values_in_form,
    vector_jacobians,
)
from qrealm.faces.providers.pennylane.results import (
    PAULI_WIRES_MAX,
    RunOptions,
    analytic_results,
    sampled_results,
)
from qrealm.faces.providers.pennylane.structures import plainly_differentiable
from qrealm.faces.providers.pennylane.tapes import OPEN_FORMS, is_convertible, is_open_form
from qrealm.simulate.backends import backend_named
from qrealm.simulate.refusals import check_options
from qrealm.simulate.request import check_precision, check_threads

_ADJOINT = frozenset({"adjoint", "best", "device"})
_MCM_METHODS = ("deferred", "device")
_TARGETS = OPEN_FORMS | {"QubitUnitary"}


@transform  # type: ignore[untyped-decorator]
def _split_for_samples(tape: Any) -> tuple[Sequence[Any], Any]:
    """Tapes with shots whose measurements commute qubit by qubit; exact tapes stay whole."""
    if not tape.shots:
        return (tape,), _first
    tapes, together = split_non_commuting(tape)
    return tapes, together


def _first(results: Sequence[Any]) -> Any:
    return results[0]


@simulator_tracking
@single_tape_support
class QrealmDevice(Device):  # type: ignore[misc]
    """A device for qubits: exact or with shots, with adjoint gradients, and with channels.

    Shots come from the tape (``qml.set_shots``), parameter broadcasting is expanded, and half-way
    measurements run natively with shots (``mcm_method="device"``, the default then) or are deferred.

    Args:
        wires: number of wires or their labels; None takes them from each tape.
        shots: default shots, for PennyLane's older style; None for exact results.
        seed: anything that `numpy.random.default_rng` takes; ``"global"`` draws one from NumPy's global
            generator, as ``default.qubit`` does.
        precision: ``"auto"``, ``"single"`` or ``"double"``, as `qrealm.run` takes it.
        threads: None for one on small circuits and all cores on large ones.
        backend: ``"auto"`` or a name of `qrealm.QuantumBackend`.
        noise: a `qrealm.circuits.noise.NoiseModel`, whose noise is put into every circuit before it runs;
            None for none. Wires are its qubits from the last one on: the last wire is qubit 0.
        options: the named backend's own, such as ``MPSOptions(bond_max=64)``.

    Raises:
        UnknownBackendError: there is no backend of this name.
        RequestError: an option is unknown or out of range, or `options` is for another backend.
    """

    def __init__(
        self,
        wires: Any = None,
        shots: Any = None,
        *,
        seed: Any = "global",
        precision: str = "auto",
        threads: int | None = None,
        backend: str | None = None,
        noise: NoiseModel | None = None,
        options: Any = None,
    ) -> None:
        super().__init__(wires=wires, shots=shots)
        check_precision(precision)
        check_threads(threads)
        if isinstance(seed, str):
            if seed != "global":
                raise RequestError(f"seed is {seed!r}; it must be an integer, None or 'global'")
            seed = np.random.randint(1 << 31)  # noqa: NPY002  (that is what "global" means)
        self._generator = np.random.default_rng(seed)
        chosen = backend_named(backend)
        if options is not None:
            check_options(chosen, options)
        model = None if noise is None else checked_model(noise)
        self._run_options = RunOptions(precision, threads, chosen.value, model, options)
        self._checked: tuple[Any, bool] | None = None

    @property
    def name(self) -> str:
        """The name under which PennyLane finds the device."""
        return "qrealm.qubit"

    # ---- before a run --------------------------------------------------------------------------------

    def setup_execution_config(self, config: Any = None, circuit: Any = None) -> Any:
        """The configuration with this device's choices filled in.

        Raises:
            DeviceError: an option or a method for half-way measurements that the device does not have.
        """
        config = config or ExecutionConfig()
        if config.device_options:
            raise DeviceError(
                f"qrealm.qubit has no execution options; got {sorted(config.device_options)}. "
                "Pass options when the device is made."
            )
        mcm = config.mcm_config
        method = mcm.mcm_method or ("device" if circuit is not None and circuit.shots else "deferred")
        if method not in _MCM_METHODS:
            raise DeviceError(
                f"mcm_method {str(method)!r} is not supported on qrealm.qubit; it has {_MCM_METHODS}"
            )
        if mcm.postselect_mode == "fill-shots" and method != "deferred":
            raise DeviceError("postselect_mode='fill-shots' is supported with mcm_method='deferred' only")
        adjoint = config.gradient_method == "adjoint" or (
            config.gradient_method in _ADJOINT and self.supports_derivatives(config, circuit)
        )
        changed: dict[str, Any] = {"mcm_config": replace(mcm, mcm_method=method)}
        if adjoint:
            changed["gradient_method"] = "adjoint"
        for field in ("use_device_gradient", "use_device_jacobian_product", "grad_on_execution"):
            if getattr(config, field) is None:
                changed[field] = adjoint
        return replace(config, **changed)

    def preprocess_transforms(self, execution_config: Any = None) -> Any:
        """What PennyLane does to a tape before `execute` sees it."""
        config = execution_config or self.setup_execution_config()
        native = config.mcm_config.mcm_method == "device"
        pipeline = CompilePipeline()
        if not native:
            pipeline.add_transform(defer_measurements, allow_postselect=True)
        pipeline.add_transform(
            steps.decompose,
            stopping_condition=partial(_accepted, native=native),
            device_wires=self.wires,
            target_gates=set(_TARGETS) | ({"MidMeasure", "MidMeasureMP"} if native else set()),
            name=self.name,
        )
        pipeline.add_transform(steps.device_resolve_dynamic_wires, wires=self.wires, allow_resets=native)
        pipeline.add_transform(steps.validate_device_wires, self.wires, name=self.name)
        pipeline.add_transform(
            steps.validate_measurements,
            analytic_measurements=_exact_measurement,
            sample_measurements=_sampled_measurement,
            name=self.name,
        )
        pipeline.add_transform(_split_for_samples)
        pipeline.add_transform(broadcast_expand)
        if config.gradient_method == "adjoint":
            self._add_adjoint(pipeline)
        return pipeline

    def _add_adjoint(self, pipeline: Any) -> None:
        name = "adjoint + qrealm.qubit"
        pipeline.add_transform(steps.no_sampling, name=name)
        pipeline.add_transform(
            steps.decompose,
            stopping_condition=_differentiable,
            device_wires=self.wires,
            target_gates=set(_TARGETS),
            name=name,
            skip_initial_state_prep=False,
        )
        pipeline.add_transform(steps.validate_observables, _has_pauli_sum, name=name)
        pipeline.add_transform(steps.validate_measurements, analytic_measurements=_is_expectation, name=name)
        pipeline.add_transform(steps.validate_adjoint_trainable_params)

    # ---- runs ----------------------------------------------------------------------------------------

    def execute(self, circuits: Any, execution_config: Any = None) -> Any:  # noqa: ARG002
        """The results of a batch of tapes that went through `preprocess_transforms`.

        Raises:
            QrealmError: as `qrealm.run`.
        """
        return tuple(
            sampled_results(tape, self._run_options, self._generator)
            if tape.shots
            else analytic_results(tape, self._run_options)
            for tape in circuits
        )

    def supports_derivatives(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """Whether the device differentiates a tape itself: exact expectation values of Pauli sums."""
        if execution_config is None:
            return True
        # A gradient is of a state vector that nothing disturbs, by the state vector's own settings.
        given = self._run_options
        if given.noise is not None or given.options is not None or not keeps_amplitudes(given.backend):
            return False
        if execution_config.gradient_method not in _ADJOINT:
            return False
        # An adjoint pass returns numbers: PennyLane would differentiate them again as constants.
        if (execution_config.derivative_order or 1) > 1:
            return False
        if circuit is None:
            return True
        # PennyLane asks several times of each tape, and an answer takes long.
        if self._checked is None or self._checked[0]() is not circuit:
            self._checked = (weakref.ref(circuit), self._differentiates(circuit))
        return self._checked[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_checked": None}  # a weak reference stays in its process

    def _differentiates(self, circuit: Any) -> bool:
        if plainly_differentiable(circuit, self.wires):
            return True
        if circuit.shots or not all(_is_expectation(process) for process in circuit.measurements):
            return False
        pipeline = CompilePipeline()
        pipeline.add_transform(steps.validate_device_wires, self.wires, name=self.name)
        pipeline.add_transform(defer_measurements, allow_postselect=False)
        self._add_adjoint(pipeline)
        try:
            pipeline((circuit,))
        except (DecompositionUndefinedError, DeviceError, ValueError):
            return False
        return True

    def compute_derivatives(self, circuits: Any, execution_config: Any = None) -> Any:  # noqa: ARG002
        """Jacobians of expectation values by trainable parameters, one for each tape.

        Raises:
            QrealmError: as `qrealm.gradient`.
        """
        return tuple(in_pennylane_form(found) for _, found in jacobians(circuits, self._run_options))

    def execute_and_compute_derivatives(
        self,
        circuits: Any,
        execution_config: Any = None,  # noqa: ARG002
    ) -> Any:
        """(results, Jacobians): the values come with the gradients, so nothing is run twice."""
        pairs = jacobians(circuits, self._run_options)
        return (
            tuple(values_in_form(values) for values, _ in pairs),
            tuple(in_pennylane_form(jacobian) for _, jacobian in pairs),
        )

    def supports_jvp(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """As `supports_derivatives`."""
        return self.supports_derivatives(execution_config, circuit)

    def compute_jvp(self, circuits: Any, tangents: Any, execution_config: Any = None) -> Any:
        """Jacobian-vector products, one for each tape."""
        return self.execute_and_compute_jvp(circuits, tangents, execution_config)[1]

    def execute_and_compute_jvp(
        self,
        circuits: Any,
        tangents: Any,
        execution_config: Any = None,  # noqa: ARG002
    ) -> Any:
        """(results, Jacobian-vector products)."""
        results, products = [], []
        pairs = jacobians(circuits, self._run_options)
        for (values, jacobian), tangent in zip(pairs, tangents, strict=True):
            results.append(values_in_form(values))
            products.append(jacobian_vector(jacobian, tangent))
        return tuple(results), tuple(products)

    def supports_vjp(self, execution_config: Any = None, circuit: Any = None) -> bool:
        """As `supports_derivatives`."""
        return self.supports_derivatives(execution_config, circuit)

    def compute_vjp(
        self,
        circuits: Any,
        cotangents: Any,
        execution_config: Any = None,  # noqa: ARG002
    ) -> Any:
        """Vector-Jacobian products, one for each tape: one adjoint pass each, however many measurements."""
        return vector_jacobians(circuits, cotangents, self._run_options)

    def execute_and_compute_vjp(self, circuits: Any, cotangents: Any, execution_config: Any = None) -> Any:
        """(results, vector-Jacobian products)."""
        results = tuple(analytic_results(tape, self._run_options) for tape in circuits)
        return results, self.compute_vjp(circuits, cotangents, execution_config)


def _accepted(op: Any, native: bool) -> bool:
    """Whether a tape may keep an operation."""
    if isinstance(op, qml.ops.MidMeasure):
        return native
    if isinstance(op, qml.ops.Conditional):
        return native and is_convertible(op.base)
    # Deferred postselection becomes a projector on a basis state.
    return isinstance(op, qml.Projector) or is_convertible(op)


def _differentiable(op: Any) -> bool:
    """Whether adjoint differentiation goes through an operation."""
    if isinstance(op, qml.ops.MidMeasure | qml.ops.Conditional | qml.Projector | qml.operation.Channel):
        return False
    trains = any(qml.math.requires_grad(value) for value in op.data)
    return is_open_form(op) or (not trains and is_convertible(op))


def _has_pauli_sum(observable: Any) -> bool:
    """Whether an observable can be written as a Pauli sum."""
    if observable.pauli_rep is not None:
        return True
    return bool(observable.has_matrix) and len(observable.wires) <= PAULI_WIRES_MAX


def _is_expectation(process: Any) -> bool:
    return isinstance(process, mps.ExpectationMP) and process.obs is not None


def _exact_measurement(process: Any) -> bool:
    if not isinstance(process, mps.StateMeasurement):
        return False
    observable = process.obs
    if observable is None or isinstance(observable, qml.SparseHamiltonian):
        return observable is None or isinstance(process, mps.ExpectationMP)
    return observable.pauli_rep is not None or bool(observable.has_diagonalizing_gates)


def _sampled_measurement(process: Any) -> bool:
    if isinstance(process, mps.ClassicalShadowMP | mps.ShadowExpvalMP):
        return True
    if not isinstance(process, mps.SampleMeasurement):
        return False
    return process.obs is None or _samples_terms(process.obs)


def _samples_terms(observable: Any) -> bool:
    """Whether every part of an observable can be measured."""
    if isinstance(observable, qml.ops.CompositeOp):
        return all(_samples_terms(part) for part in observable.operands)
    if isinstance(observable, qml.ops.SymbolicOp):
        return _samples_terms(observable.base)
    return bool(observable.has_diagonalizing_gates)


__all__ = ["QrealmDevice"]
