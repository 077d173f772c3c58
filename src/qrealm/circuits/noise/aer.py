"""Reads `qiskit_aer.noise.NoiseModel`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from qrealm.base.errors import ChannelError, MissingExtraError, UnknownGateError
from qrealm.circuits.gates import find_gate
from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.noise.readout import ReadoutError
from qrealm.circuits.noise.rules import AFTER_RESET, BEFORE_MEASUREMENT, GateRule, Idling, PointRule, Qubits

if TYPE_CHECKING:
    from qrealm.circuits.noise.model import NoiseModel

_POINTS = {"measure": BEFORE_MEASUREMENT, "reset": AFTER_RESET}


def read_aer(source: Any) -> NoiseModel:
    """See `NoiseModel.from_aer`."""
    from qrealm.circuits.noise.model import NoiseModel

    try:
        from qiskit_aer.noise import NoiseModel as AerModel
    except ImportError:
        raise MissingExtraError(
            "reading a noise model of Qiskit Aer", package="qiskit_aer", extra="aer"
        ) from None
    if not isinstance(source, AerModel):
        raise ChannelError(
            f"from_aer got a {type(source).__name__}; the rule is a qiskit_aer.noise.NoiseModel",
            hint="of a Qiskit backend, qiskit_aer.noise.NoiseModel.from_backend(backend) makes one",
        )
    passes = list(getattr(source, "_custom_noise_passes", ()))
    if len(passes) > 1 or not all(_only_delays(each) for each in passes):
        raise ChannelError(
            "the noise model of Qiskit Aer has passes of its own, such as relaxation of waiting qubits, "
            "which cannot be read",
            hint="build it without them, and use NoiseModel.idle(...) for waiting qubits",
        )
    errors = source.to_dict()["errors"]
    model = NoiseModel("qiskit_aer")
    gates: list[GateRule] = []
    points: list[PointRule] = []
    special = _special_qubits(errors)
    for error in errors:
        qubits = error.get("gate_qubits", [None])[0]
        if error["type"] == "roerror":
            _add_readout(model, error, qubits)
            continue
        channel = _channel(error)
        for name in error["operations"]:
            apart = frozenset() if qubits is not None else special.get(name, frozenset())
            if name in _POINTS:
                points += _point_rules(channel, name, qubits, apart)
            else:
                gates.append(_gate_rule(channel, name, qubits, apart))
    rules = model._rules
    model._rules = type(rules)(tuple(gates), tuple(points), rules.readout, rules.groups, _idling(passes))
    return model


def _only_delays(noise_pass: Any) -> bool:
    """Whether a pass of Aer is relaxation during delays, and nothing else."""
    from qiskit_aer.noise import RelaxationNoisePass

    kinds = getattr(noise_pass, "_ops", ())
    delays = bool(kinds) and all(kind.__name__ == "Delay" for kind in kinds)
    return delays and type(noise_pass) is RelaxationNoisePass


def _idling(passes: list[Any]) -> Idling | None:
    """Relaxation during delays. Aer has seconds."""
    if not passes:
        return None
    (found,) = passes
    excited = {float(each) for each in found._p1s}
    if len(excited) > 1:
        raise ChannelError(
            "the noise model of Qiskit Aer has a share of |1> in equilibrium for each qubit; the rule is one "
            "for all"
        )
    t1, t2 = (tuple(float(each) * 1e9 for each in times) for times in (found._t1s, found._t2s))
    dt = None if found._dt is None else float(found._dt) * 1e9
    return Idling(t1, t2, {}, excited_population=excited.pop(), dt_ns=dt, delays_only=True)


def _special_qubits(errors: list[Mapping[str, Any]]) -> dict[str, frozenset[Qubits]]:
    """For each operation the qubits that have an error of their own: it replaces the one for all."""
    found: dict[str, set[Qubits]] = {}
    for error in errors:
        if error["type"] == "qerror" and "gate_qubits" in error:
            for name in error["operations"]:
                found.setdefault(name, set()).update(tuple(each) for each in error["gate_qubits"])
    return {name: frozenset(qubits) for name, qubits in found.items()}


def _channel(error: Mapping[str, Any]) -> Channel:
    from qiskit_aer.noise import QuantumError

    name = f"{' and '.join(error['operations'])} error"
    matrix = np.asarray(QuantumError.from_dict(error).to_quantumchannel().data)
    return Channel.from_superoperator(matrix, name)


def _gate_rule(channel: Channel, name: str, qubits: Qubits | None, apart: frozenset[Qubits]) -> GateRule:
    try:
        gate = find_gate(name).name
    except UnknownGateError as problem:
        raise ChannelError(
            f"the noise model of Qiskit Aer has an error on {name!r}, which is no gate here",
            hint=problem.hint,
        ) from None
    wires = None if qubits is None else tuple(int(q) for q in qubits)
    return GateRule(channel, frozenset({gate}), wires, excluded=apart)


def _point_rules(
    channel: Channel, name: str, qubits: Qubits | None, apart: frozenset[Qubits]
) -> list[PointRule]:
    if channel.num_qubits != 1:
        raise ChannelError(
            f"the noise model of Qiskit Aer has an error on {name} of {channel.num_qubits} qubits; the rule "
            "is 1"
        )
    if qubits is None and apart:
        raise ChannelError(
            f"the noise model of Qiskit Aer has errors on {name} for all qubits and for the qubits "
            f"{sorted(q for each in apart for q in each)}",
            hint="give every qubit an error of its own",
        )
    where = None if qubits is None else frozenset(int(q) for q in qubits)
    return [PointRule(channel, _POINTS[name], where)]


def _add_readout(model: NoiseModel, error: Mapping[str, Any], qubits: Qubits | None) -> None:
    # Aer has a row for each true value, the columns of a `ReadoutError`.
    found = ReadoutError(np.asarray(error["probabilities"]).T, "readout")
    if found.num_bits > 1 and qubits is None:
        raise ChannelError(
            f"the noise model of Qiskit Aer has a readout error on {found.num_bits} bits for all qubits; the "
            "rule is named qubits"
        )
    model.readout(found, None if qubits is None else [int(q) for q in qubits])
