"""Noise as values that JSON has, and back. Complex numbers are [real, imaginary]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qrealm.base.errors import ChannelError, SchemaError
from qrealm.circuits.noise.channel import Channel
from qrealm.circuits.noise.readout import ReadoutError
from qrealm.circuits.noise.rules import (
    POINTS,
    GateRule,
    Idling,
    PointRule,
    Qubits,
    ReadoutGroup,
    TimeKey,
    Wiring,
    check_pair_gate,
)
from qrealm.circuits.noise.writing import Rules

FORMAT = 1
_FIELDS = frozenset({"format", "name", "gates", "points", "readout", "groups", "idle", "wiring"})


def channel_record(channel: Channel) -> dict[str, Any]:
    """A channel by its name and Kraus operators."""
    kraus = [[[[z.real, z.imag] for z in row] for row in operator] for operator in channel.kraus.tolist()]
    return {"name": channel.name, "kraus": kraus}


def read_channel(source: Any) -> Channel:
    """What `channel_record` made. Raises ChannelError."""
    if not isinstance(source, Mapping) or "kraus" not in source:
        raise ChannelError(
            f"a channel is written as {source!r:.60}; the rule is an object with name and kraus"
        )
    name = str(source.get("name", "kraus"))
    try:
        pairs = np.array(source["kraus"], dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise ChannelError(f"the Kraus operators of the channel {name!r} are no numbers: {problem}") from None
    if pairs.ndim != 4 or pairs.shape[3] != 2:
        raise ChannelError(
            f"the Kraus operators of the channel {name!r} have the shape {pairs.shape}; the rule is a list "
            "of matrices whose entries are [real, imaginary]"
        )
    return Channel(pairs[..., 0] + 1j * pairs[..., 1], name)


def readout_record(error: ReadoutError) -> dict[str, Any]:
    """A readout error by its name and matrix."""
    return {"name": error.name, "assignment": error.assignment.tolist()}


def read_readout(source: Any) -> ReadoutError:
    """What `readout_record` made. Raises ChannelError."""
    if not isinstance(source, Mapping) or "assignment" not in source:
        raise ChannelError(
            f"a readout error is written as {source!r:.60}; the rule is an object with name and assignment"
        )
    return ReadoutError(source["assignment"], str(source.get("name", "readout")))


def rules_record(name: str, rules: Rules) -> dict[str, Any]:
    """All rules of a model."""
    found: dict[str, Any] = {"format": FORMAT, "name": name}
    found["gates"] = [_gate_record(rule) for rule in rules.gates]
    found["points"] = [
        {"channel": channel_record(rule.channel), "point": rule.point, "qubits": _sorted(rule.qubits)}
        for rule in rules.points
    ]
    found["readout"] = [
        {"qubit": qubit, "error": readout_record(error)} for qubit, error in rules.readout.items()
    ]
    found["groups"] = [
        {"qubits": list(group.qubits), "error": readout_record(group.error)} for group in rules.groups
    ]
    if rules.idling is not None:
        found["idle"] = _idle_record(rules.idling)
    if rules.wiring is not None:
        wiring = rules.wiring
        pairs = None if wiring.pairs is None else sorted(list(pair) for pair in wiring.pairs)
        found["wiring"] = {
            "device": wiring.device,
            "num_qubits": wiring.num_qubits,
            "pairs": pairs,
            "pair_gate": wiring.pair_gate,
        }
    return found


def read_rules(source: Mapping[str, Any]) -> tuple[str, Rules]:
    """(name, rules) of what `rules_record` made.

    Raises:
        SchemaError: a field is missing, unknown or wrong.
        ChannelError: its numbers are no physical noise.
    """
    if not isinstance(source, Mapping) or source.get("format") != FORMAT:
        raise SchemaError(
            f"a noise model is written as {source!r:.60}; the rule is an object with format {FORMAT}, as "
            "to_dict() makes it"
        )
    unknown = sorted(set(source) - _FIELDS)
    if unknown:
        raise SchemaError(f"a noise model has the field {unknown[0]!r:.40}; fields are {sorted(_FIELDS)}")
    try:
        return str(source.get("name", "")), Rules(
            tuple(_read_gate(each) for each in source.get("gates", ())),
            tuple(_read_point(each) for each in source.get("points", ())),
            {each["qubit"]: read_readout(each["error"]) for each in source.get("readout", ())},
            tuple(
                ReadoutGroup(read_readout(each["error"]), tuple(each["qubits"]))
                for each in source.get("groups", ())
            ),
            _read_idle(source["idle"]) if "idle" in source else None,
            _read_wiring(source["wiring"]) if "wiring" in source else None,
        )
    except (KeyError, TypeError, ValueError) as problem:
        if isinstance(problem, ChannelError):
            raise
        raise SchemaError(f"a noise model is not written as to_dict() writes it: {problem!r:.100}") from None


def _gate_record(rule: GateRule) -> dict[str, Any]:
    return {
        "channel": channel_record(rule.channel),
        "gates": _sorted(rule.gates),
        "qubits": None if rule.qubits is None else list(rule.qubits),
        "spectators": None if rule.spectators is None else list(rule.spectators),
        "excluded": sorted(list(each) for each in rule.excluded),
        "virtual_free": rule.virtual_free,
        "size": rule.size,
        "positions": None if rule.positions is None else list(rule.positions),
        "size_min": rule.size_min,
    }


def _read_gate(source: Mapping[str, Any]) -> GateRule:
    gates = source["gates"]
    return GateRule(
        read_channel(source["channel"]),
        None if gates is None else frozenset(map(str, gates)),
        _tuple(source["qubits"]),
        _tuple(source["spectators"]),
        frozenset(tuple(each) for each in source["excluded"]),
        bool(source["virtual_free"]),
        None if source["size"] is None else int(source["size"]),
        _tuple(source["positions"]),
        None if source.get("size_min") is None else int(source["size_min"]),
    )


def _read_point(source: Mapping[str, Any]) -> PointRule:
    qubits = source["qubits"]
    if source["point"] not in POINTS:
        raise ChannelError(f"a noise model has the point {source['point']!r:.40}; points are {POINTS}")
    where = None if qubits is None else frozenset(map(int, qubits))
    return PointRule(read_channel(source["channel"]), source["point"], where)


def _idle_record(idling: Idling) -> dict[str, Any]:
    times = []
    for key, value in idling.gate_times_ns.items():
        gate, qubits = key if isinstance(key, tuple) else (key, None)
        times.append({"gate": gate, "qubits": None if qubits is None else list(qubits), "time_ns": value})
    return {
        # JSON has no infinity: a time that never ends is null.
        "t1_ns": [_finite(each) for each in idling.t1_ns],
        "t2_ns": [_finite(each) for each in idling.t2_ns],
        "gate_times_ns": times,
        "measure_ns": idling.measure_ns,
        "reset_ns": idling.reset_ns,
        "excited_population": idling.excited_population,
        "dt_ns": idling.dt_ns,
        "delays_only": idling.delays_only,
    }


def _read_idle(source: Mapping[str, Any]) -> Idling:
    times: dict[TimeKey, float] = {}
    for each in source["gate_times_ns"]:
        qubits = _tuple(each["qubits"])
        times[each["gate"] if qubits is None else (str(each["gate"]), qubits)] = float(each["time_ns"])
    t1, t2 = (
        tuple(float("inf") if each is None else float(each) for each in source[name])
        for name in ("t1_ns", "t2_ns")
    )
    return Idling(
        t1,
        t2,
        times,
        float(source["measure_ns"]),
        float(source["reset_ns"]),
        float(source["excited_population"]),
        None if source.get("dt_ns") is None else float(source["dt_ns"]),
        bool(source.get("delays_only", False)),
    )


def _read_wiring(source: Mapping[str, Any]) -> Wiring:
    pairs = source["pairs"]
    kept = None if pairs is None else frozenset((int(a), int(b)) for a, b in pairs)
    pair_gate = source.get("pair_gate", "cx")
    return Wiring(str(source["device"]), int(source["num_qubits"]), kept, check_pair_gate(pair_gate))


def _sorted(values: frozenset[Any] | None) -> list[Any] | None:
    return None if values is None else sorted(values)


def _tuple(values: Any) -> Qubits | None:
    return None if values is None else tuple(int(each) for each in values)


def _finite(value: float) -> float | None:
    return value if value != float("inf") else None
