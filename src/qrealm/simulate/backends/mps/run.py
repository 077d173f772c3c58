"""The MPS backend: runs circuits on chains of tensors."""

from __future__ import annotations

import numpy as np

from qrealm.base import cancel
from qrealm.base.errors import QubitError
from qrealm.circuits import Circuit
from qrealm.circuits.pack import PackedCircuit
from qrealm.simulate.backends.mps.answers import (
    Leaves,
    chosen_amplitudes,
    counts,
    exact_values,
    sampled_values,
    told,
)
from qrealm.simulate.backends.mps.card import CARD
from qrealm.simulate.backends.mps.chain import Chain
from qrealm.simulate.backends.mps.linalg import Limits, one_thread
from qrealm.simulate.backends.mps.options import MPSOptions
from qrealm.simulate.backends.mps.program import prepare
from qrealm.simulate.backends.mps.room import bonds_of, bonds_of_ways, make_room
from qrealm.simulate.backends.mps.values import vector
from qrealm.simulate.backends.mps.walk import ChainEngine, ChainWalk, parts
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.branching import branch_points
from qrealm.simulate.execute import layout_of, packed_or_none
from qrealm.simulate.memory import refusal_told
from qrealm.simulate.misread import detector_of
from qrealm.simulate.request import RunRequest


class MPSBackend:
    """Runs whole circuits."""

    card = CARD

    @refusal_told
    def run(self, circuit: Circuit, request: RunRequest) -> Found:
        """Run a bound circuit. Measurements half-way, resets and conditions go branch by branch.

        Raises:
            TooLargeError: the state vector asked for does not fit, or the bonds outgrow the memory.
            QubitError: there is no qubit.
        """
        if not circuit.num_qubits:
            raise QubitError("a run needs at least one qubit; the circuit has none")
        options = request.options if isinstance(request.options, MPSOptions) else MPSOptions()
        packed = packed_or_none(circuit)
        with one_thread():
            if packed is not None:
                return _straight(circuit, packed, request, options)
            return _branching(circuit, request, options)


def _straight(circuit: Circuit, packed: PackedCircuit, request: RunRequest, options: MPSOptions) -> Found:
    """Gates, then whatever is asked of the state."""
    layout, planning = layout_of(circuit), request.planning
    program = prepare(packed)
    bonds = bonds_of(program, options.bond_max)
    room, reserved = make_room(circuit.num_qubits, bonds, 0, layout.num_bits, request)
    plan = room.plan
    with reserved:
        chain = Chain(circuit.num_qubits, plan.precision, _limits(options), room.chain_bytes, cancel.check)
        chain.apply(program)
        details = told(chain)
        drawn = counts(chain, layout, planning.shots, request.seed, plan.threads) if planning.shots else ()
        errors: dict[str, float] = {}
        if request.sampled:
            detector = detector_of(circuit, layout)
            values, errors = sampled_values(
                chain, request.observables, planning.shots, request.seed, plan.threads, detector
            )
        else:
            values = exact_values(chain, request.observables)
        amplitudes = chosen_amplitudes(chain, request.amplitudes)
        array = vector(chain) if planning.state_copy else None
    outcomes, draws = drawn or (np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))
    return Found(
        plan, layout, outcomes, draws, values, errors, amplitudes, array, packed=packed, details=details
    )


def _branching(circuit: Circuit, request: RunRequest, options: MPSOptions) -> Found:
    """A circuit that decides something half-way."""
    layout, planning = layout_of(circuit), request.planning
    segments = circuit.segments()
    points = branch_points(segments)
    gates, prepared = parts(segments)
    bonds = bonds_of_ways(circuit.num_qubits, [prepare(each) for each in gates], prepared, options.bond_max)
    room, reserved = make_room(circuit.num_qubits, bonds, points, layout.num_bits, request)
    engine = ChainEngine(_limits(options), room.chain_bytes)
    with reserved:
        generator = np.random.default_rng(request.seed)
        walk = ChainWalk(circuit, engine, room.plan, planning.shots, generator)
        leaves = Leaves(circuit, request, room.plan, walk)
        walk.walk(leaves.visit)
        outcomes, draws = leaves.counts()
    values, errors = leaves.averages.found()
    return Found(
        room.plan,
        layout,
        outcomes,
        draws,
        values,
        errors,
        leaves.amplitudes,
        leaves.array,
        branches=walk.leaves,
        details=leaves.told(),
    )


def _limits(options: MPSOptions) -> Limits:
    return Limits(options.bond_max, float(options.truncation))


BACKEND = MPSBackend()
