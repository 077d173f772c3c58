"""`qrealm.QuantumCircuitManager` as programs import it, and what the docs say of it in closed forms."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest
from tests.unit.control.containers.homes import request

import qrealm
from qrealm.base.clock import ManualClock
from qrealm.containers import Config, NodeEntry, QuantumDockerEngine
from qrealm.fleet.containers.protocol import Endpoint

T2_S, T1_S = 10.0, 40.0
CONFIG = Config(
    nodes=(NodeEntry("na", Endpoint("simulated", "simulated://na?cpus=8&memory_mib=8192")),),
    decoherence_time_ms=1000 * T2_S,
    relaxation_time_ms=1000 * T1_S,
    seed=7,
)
ODDS = {"web": 0.2, "api": 0.7, "log": 0.5}


def dense(register):
    """The whole matrix: qubit q is bit q of an index."""
    size = 1 << register.num_qubits
    matrix = np.zeros((size, size), dtype=complex)
    density = register.density
    matrix[density.rows, density.cols] = density.values
    return matrix


def pure(*amplitudes):
    return np.outer(amplitudes, np.conj(amplitudes))


def prepared(circuit):
    return qrealm.run(circuit, 0, return_statevector=True).statevector


def with_manager(path, story):
    """Run a story on the manager of three containers, with a clock that stands still until it is told."""
    clock = ManualClock()

    async def whole():
        async with QuantumDockerEngine(CONFIG, path, clock) as engine:
            for name, odds in ODDS.items():
                await engine.create(request(name, probability=odds))
            assert type(engine.circuits) is qrealm.QuantumCircuitManager
            await engine.call(lambda parts: story(parts.circuits, clock))

    asyncio.run(whole())


def test_a_container_alone(tmp_path):
    def story(manager, _):
        for name, odds in ODDS.items():
            amplitudes = math.sqrt(odds), math.sqrt(1 - odds)
            assert manager.probabilities(name) == pytest.approx({"running": odds, "stopped": 1 - odds})
            assert dense(manager.register(name)) == pytest.approx(pure(*amplitudes))
            state = prepared(manager.circuit(name))
            assert np.abs(np.vdot(amplitudes, state)) == pytest.approx(1)

    with_manager(tmp_path, story)


def test_a_group(tmp_path):
    """√p |00⟩ + √(1-p) |11⟩, and a third that does the opposite."""

    def story(manager, _):
        manager.entangle("web", "api", "same")
        manager.entangle("api", "log", "opposite")
        assert manager.group("log") == ("web", "api", "log")
        wanted = np.zeros(8)
        wanted[0b100], wanted[0b011] = math.sqrt(0.2), math.sqrt(0.8)
        register = manager.register("web")
        assert register.num_qubits == 3
        assert dense(register) == pytest.approx(pure(*wanted), abs=1e-12)
        assert manager.probabilities("web") == pytest.approx({"running": 0.2, "stopped": 0.8})
        assert manager.probabilities("api") == pytest.approx({"running": 0.2, "stopped": 0.8})
        assert manager.probabilities("log") == pytest.approx({"running": 0.8, "stopped": 0.2})
        state = prepared(manager.circuit("log"))
        assert np.abs(np.vdot(wanted, state)) == pytest.approx(1)

    with_manager(tmp_path, story)


def test_what_a_gate_made_decays_and_the_circuit_stays(tmp_path):
    """ρ → e^(-t/T₁) D(ρ) + (1 - e^(-t/T₁)) diag(π), and off-diagonal elements fall with e^(-t/T₂)."""

    def story(manager, clock):
        manager.apply_gate("X", ["web"])
        assert manager.probabilities("web") == pytest.approx({"running": 0.8, "stopped": 0.2})
        for passed in (3.0, 20.0):
            clock.advance(passed)
        kept, coherent = math.exp(-23 / T1_S), math.exp(-23 / T2_S)
        running = 0.8 * kept + 0.2 * (1 - kept)
        assert manager.probabilities("web") == pytest.approx({"running": running, "stopped": 1 - running})
        off = math.sqrt(0.2 * 0.8) * coherent
        assert dense(manager.register("web")) == pytest.approx(np.array([[running, off], [off, 1 - running]]))
        # It prepares what was declared: without gates applied since, and decay.
        state = prepared(manager.circuit("web"))
        assert np.abs(state) ** 2 == pytest.approx([0.2, 0.8])

    with_manager(tmp_path, story)


def test_what_is_measured_has_one_outcome(tmp_path):
    def story(manager, _):
        manager.entangle("web", "log", "opposite")
        found = manager.measure("web")
        assert found.probability == pytest.approx(0.2 if found.state == "running" else 0.8)
        other = "stopped" if found.state == "running" else "running"
        assert found.outcomes == {"web": found.state, "log": other}
        assert manager.probabilities("log")[other] == pytest.approx(1)
        assert manager.group("web") == ("web",)

    with_manager(tmp_path, story)
