"""Channels against Qiskit Aer's, against closed forms, and what they refuse."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

from qrealm.base.errors import ChannelError, MatrixError
from qrealm.circuits import Circuit
from qrealm.circuits.noise import (
    Channel,
    ReadoutError,
    amplitude_damping,
    bit_flip,
    coherent,
    depolarizing,
    mixed_unitary,
    pauli_channel,
    phase_damping,
    phase_flip,
    thermal_relaxation,
    zz_phase,
)
from reference.density import DensitySimulator, superoperator_of
from unit.circuits.draws import random_unitary

PLUS = np.full((2, 2), 0.5)
MIXED = np.array([[0.3, 0.2 - 0.1j], [0.2 + 0.1j, 0.7]])


def random_channel(seed: int, num_qubits: int = 1, terms: int = 3) -> Channel:
    """Kraus operators from a random isometry."""
    rng = np.random.default_rng(seed)
    size = 1 << num_qubits
    columns = rng.normal(size=(size * terms, size)) + 1j * rng.normal(size=(size * terms, size))
    return Channel(np.linalg.qr(columns)[0].reshape(terms, size, size), "random")


def after(channel: Channel, rho: np.ndarray) -> np.ndarray:
    """The sum of K rho K†."""
    return np.sum([k @ rho @ k.conj().T for k in channel.kraus], axis=0)


# ---- conventions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.0, 0.1, 1.0, 1.02])
@pytest.mark.parametrize("num_qubits", [1, 2])
def test_depolarizing_is_aers(p: float, num_qubits: int) -> None:
    noise = pytest.importorskip("qiskit_aer.noise")
    want = noise.depolarizing_error(p, num_qubits).to_quantumchannel().data
    assert np.abs(depolarizing(p, num_qubits).superoperator() - want).max() < 1e-12


@pytest.mark.parametrize("population", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
def test_damping_is_aers(gamma: float, population: float) -> None:
    noise = pytest.importorskip("qiskit_aer.noise")
    want = noise.amplitude_damping_error(gamma, population).to_quantumchannel().data
    assert np.abs(amplitude_damping(gamma, population).superoperator() - want).max() < 1e-12
    want = noise.phase_damping_error(gamma).to_quantumchannel().data
    assert np.abs(phase_damping(gamma).superoperator() - want).max() < 1e-12


@pytest.mark.parametrize(
    ("t1", "t2"), [(100.0, 50.0), (100.0, 100.0), (100.0, 150.0), (100.0, 200.0), (math.inf, 80.0)]
)
@pytest.mark.parametrize("population", [0.0, 0.25])
def test_thermal_relaxation_is_aers(t1: float, t2: float, population: float) -> None:
    noise = pytest.importorskip("qiskit_aer.noise")
    for time in (0.0, 3.0, 70.0):
        want = noise.thermal_relaxation_error(t1, t2, time, population).to_quantumchannel().data
        found = thermal_relaxation(t1, t2, time, population).superoperator()
        assert np.abs(found - want).max() < 1e-12


def test_paulis_and_mixtures_are_aers() -> None:
    noise = pytest.importorskip("qiskit_aer.noise")
    # A Pauli label of Qiskit has qubit 0 rightmost; letter i of ours acts on qubit i.
    want = noise.pauli_error([("XY", 0.1), ("ZI", 0.2), ("II", 0.7)]).to_quantumchannel().data
    assert np.abs(pauli_channel({"YX": 0.1, "IZ": 0.2}).superoperator() - want).max() < 1e-12
    unitaries = [random_unitary(np.random.default_rng(seed), 2) for seed in (1, 2)]
    want = noise.mixed_unitary_error(list(zip(unitaries, (0.3, 0.7), strict=True))).to_quantumchannel().data
    found = mixed_unitary([(0.3, unitaries[0]), (0.7, unitaries[1])])
    assert np.abs(found.superoperator() - want).max() < 1e-12
    want = noise.coherent_unitary_error(unitaries[0]).to_quantumchannel().data
    assert np.abs(coherent(unitaries[0]).superoperator() - want).max() < 1e-12


def test_relaxation_by_its_definition() -> None:
    """Populations go to equilibrium with T1, coherences to 0 with T2."""
    t1, t2, time, hot = 90.0, 130.0, 40.0, 0.1
    found = after(thermal_relaxation(t1, t2, time, hot), MIXED)
    keep = math.exp(-time / t1)
    assert found[1, 1] == pytest.approx(0.7 * keep + hot * (1 - keep), abs=1e-14)
    assert found[1, 0] == pytest.approx(MIXED[1, 0] * math.exp(-time / t2), abs=1e-14)


def test_long_waiting_forgets_all() -> None:
    found = after(thermal_relaxation(1.0, 2.0, 5000.0, 0.2), MIXED)
    assert np.abs(found - np.diag([0.8, 0.2])).max() < 1e-12


def test_phase_flip_and_bit_flip() -> None:
    assert after(phase_flip(0.1), PLUS)[0, 1] == pytest.approx(0.5 * 0.8)
    assert after(bit_flip(0.1), np.diag([1, 0]))[1, 1] == pytest.approx(0.1)
    assert after(phase_damping(0.36), PLUS)[0, 1] == pytest.approx(0.5 * 0.8)


def test_zz_phase_is_the_rotation() -> None:
    reference = DensitySimulator(2)
    reference.gates(Circuit(2).h(0).h(1).rzz(0.7, 0, 1).packed())
    mine = DensitySimulator(2)
    mine.gates(Circuit(2).h(0).h(1).packed())
    mine.kraus(zz_phase(0.7).kraus, [0, 1])
    assert np.abs(mine.rho - reference.rho).max() < 1e-14


# ---- forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_qubits", [1, 2, 3])
def test_superoperator_and_choi(num_qubits: int) -> None:
    channel = random_channel(num_qubits, num_qubits)
    assert np.abs(channel.superoperator() - superoperator_of(channel.kraus)).max() < 1e-13
    choi = channel.choi()
    assert np.trace(choi) == pytest.approx(2**num_qubits)
    assert np.linalg.eigvalsh(choi)[0] > -1e-12
    for again in (Channel.from_choi(choi), Channel.from_superoperator(channel.superoperator())):
        assert np.abs(again.superoperator() - channel.superoperator()).max() < 1e-12
        assert len(again.kraus) == 3


def test_then_and_tensor() -> None:
    first, second = random_channel(1), random_channel(2)
    want = second.superoperator() @ first.superoperator()
    assert np.abs(first.then(second).superoperator() - want).max() < 1e-12
    together = first.tensor(second)
    product = np.kron(MIXED, PLUS)
    want = np.kron(after(second, MIXED), after(first, PLUS))
    assert np.abs(after(together, product) - want).max() < 1e-12
    with pytest.raises(ChannelError, match="cannot follow"):
        together.then(first)


def test_average_fidelity_by_sampling() -> None:
    """The mean of <psi|E(psi)|psi> over Haar-random states, within five standard errors."""
    channel = random_channel(8, 2)
    rng = np.random.default_rng(0)
    states = rng.normal(size=(4000, 4)) + 1j * rng.normal(size=(4000, 4))
    states /= np.linalg.norm(states, axis=1)[:, None]
    overlaps = np.einsum("si,kij,sj->sk", states.conj(), channel.kraus, states)
    values = (np.abs(overlaps) ** 2).sum(axis=1)
    assert abs(values.mean() - channel.average_fidelity()) < 5 * values.std() / 4000**0.5


def test_depolarising_loses_what_it_says() -> None:
    assert 1 - depolarizing(0.1).average_fidelity() == pytest.approx(0.05)
    assert 1 - depolarizing(0.1, 2).average_fidelity() == pytest.approx(0.075)


def test_pauli_mixtures_are_found_whatever_the_kraus_operators() -> None:
    measured = Channel([np.diag([1, 0]), np.diag([0, 1])], "dephased")
    assert measured.paulis == pytest.approx({"I": 0.5, "Z": 0.5})
    assert measured.mixture is not None
    assert sum(p for p, _ in measured.mixture) == pytest.approx(1)
    both = depolarizing(0.2).then(bit_flip(0.1))
    assert both.paulis == pytest.approx({"I": 0.77, "X": 0.13, "Y": 0.05, "Z": 0.05})
    assert pauli_channel({"XZ": 0.25}).paulis == pytest.approx({"II": 0.75, "XZ": 0.25})
    assert amplitude_damping(0.1).paulis is None
    assert amplitude_damping(0.1).mixture is None
    rotated = coherent(random_unitary(np.random.default_rng(1), 1))
    assert rotated.paulis is None
    assert rotated.mixture is not None


def test_identity() -> None:
    assert depolarizing(0.0).is_identity
    assert coherent(1j * np.eye(4)).is_identity
    assert thermal_relaxation(1.0, 1.0, 0.0).is_identity
    assert not depolarizing(1e-3).is_identity
    assert not amplitude_damping(0.5).is_identity


def test_values_are_compared_hashed_and_copied() -> None:
    channel = amplitude_damping(0.3)
    assert channel == amplitude_damping(0.3)
    assert hash(channel) == hash(amplitude_damping(0.3))
    assert channel != amplitude_damping(0.31)
    assert pickle.loads(pickle.dumps(channel)) == channel
    assert copy.deepcopy(channel).name == channel.name
    with pytest.raises(ValueError, match="read-only"):
        channel.kraus[0, 0, 0] = 2


# ---- powers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.0, 0.25, 1.0, 2.0, 3.5])
def test_powers_scale_the_generator(factor: float) -> None:
    cases = [
        (thermal_relaxation(100, 120, 30, 0.1), thermal_relaxation(100, 120, 30 * factor, 0.1)),
        (depolarizing(0.2, 2), depolarizing(1 - 0.8**factor, 2)),
        (amplitude_damping(0.3), amplitude_damping(1 - 0.7**factor)),
        (phase_damping(0.3), phase_damping(1 - 0.7**factor)),
        (zz_phase(0.3), zz_phase(0.3 * factor)),
        (bit_flip(0.2), bit_flip((1 - 0.6**factor) / 2)),
    ]
    for channel, want in cases:
        found = channel.power(factor)
        assert np.abs(found.superoperator() - want.superoperator()).max() < 1e-12
        assert found.name == channel.name


def test_whole_powers_repeat() -> None:
    channel = random_channel(3, 2)
    want = np.linalg.matrix_power(channel.superoperator(), 3)
    assert np.abs(channel.power(3).superoperator() - want).max() < 1e-12
    want = np.linalg.matrix_power(bit_flip(0.7).superoperator(), 2)
    assert np.abs(bit_flip(0.7).power(2).superoperator() - want).max() < 1e-12


def test_powers_that_are_no_channel() -> None:
    with pytest.raises(ChannelError, match=r"'bit_flip' to the power 0\.5 is no channel"):
        bit_flip(0.7).power(0.5)
    with pytest.raises(ChannelError, match=r"'pauli' to the power 0\.1 is no channel.*the string"):
        pauli_channel({"X": 0.2, "Z": 0.2}).power(0.1)
    with pytest.raises(ChannelError, match="rule is 0 to"):
        bit_flip(0.1).power(-1)


# ---- refusals ------------------------------------------------------------------------------------


def test_t2_may_not_exceed_twice_t1() -> None:
    thermal_relaxation(100, 200, 1)
    with pytest.raises(ChannelError, match=r"'thermal_relaxation' got T2 = 201 ns and .*T2 <= 2 T1"):
        thermal_relaxation(100, 201, 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: depolarizing(-0.1), "'depolarizing' got -0.1 .* the rule is 0 to 1.333"),
        (lambda: depolarizing(1.1, 2), "'depolarizing' got 1.1 .* 0 to 1.0666"),
        (lambda: depolarizing(0.1, 4), "got 4 qubits; the rule is 1 to 3"),
        (lambda: amplitude_damping(1.5), "'amplitude_damping' got 1.5 for gamma"),
        (lambda: amplitude_damping(float("nan")), "'amplitude_damping' got nan"),
        (lambda: phase_damping("much"), "'phase_damping' got 'much' for lambda; the rule is a number"),
        (lambda: thermal_relaxation(0, 1, 1), "got T1 = 0 ns; the rule is above 0"),
        (lambda: thermal_relaxation(1, 1, -1), "got the time -1 ns"),
        (lambda: thermal_relaxation(1, 1, math.inf), "got the time inf ns"),
        (lambda: pauli_channel({"X": 0.6, "Z": 0.6}), "add up to 1.2"),
        (lambda: pauli_channel({"X": 0.1, "I": 0.3}), "add up to 0.4"),
        (lambda: pauli_channel({"X": 0.1, "XX": 0.3}), "all of one length"),
        (lambda: pauli_channel({"Q": 0.1}), "strings of I, X, Y and Z"),
        (lambda: pauli_channel({}), "strings of I, X, Y and Z"),
        (lambda: pauli_channel({3: 0.1}), "strings of I, X, Y and Z"),
        (lambda: zz_phase(math.nan), "'zz_phase' got the angle nan"),
        (lambda: mixed_unitary([(0.5, np.eye(2))]), "'mixed_unitary' is not trace preserving"),
        (lambda: Channel([np.eye(3)], "odd"), r"'odd' got Kraus operators of shape \(3, 3\)"),
        (lambda: Channel([np.eye(2), np.eye(4)], "odd"), "'odd' needs Kraus operators"),
        (lambda: Channel([], "none"), "'none' got Kraus operators of shape"),
        (lambda: Channel([[[1, 0], [0, math.nan]]], "nan"), "'nan' is not trace preserving"),
        (lambda: Channel([1.1 * np.eye(2)], "big"), "'big' is not trace preserving.*differs .* by 0.21"),
        (lambda: Channel.from_choi(np.eye(6)), r"shape \(6, 6\); the rule is \(4\^k, 4\^k\)"),
        (lambda: Channel.from_choi(np.diag([2, -1, 0, 1]), "odd"), "'odd' is not completely positive"),
        (lambda: Channel.from_choi(np.triu(np.ones((4, 4)))), "not Hermitian"),
        (lambda: Channel.from_choi(np.full((4, 4), np.nan)), "not finite"),
        (lambda: Channel.from_superoperator(np.eye(8)), r"superoperator of shape \(8, 8\)"),
        (lambda: ReadoutError([[0.9, 0.2], [0.2, 0.8]], "bad"), "'bad' got columns that add up to"),
        (lambda: ReadoutError([[1.1, 0], [-0.1, 1]]), "columns that add up to"),
        (lambda: ReadoutError(np.eye(3)), r"shape \(3, 3\)"),
        (lambda: ReadoutError("no"), "needs a matrix of numbers"),
        (lambda: ReadoutError(np.eye(128)), "k from 1 to 6"),
    ],
)
def test_errors_name_the_channel_the_number_and_the_rule(make, words: str) -> None:
    with pytest.raises(ChannelError, match=words):
        make()


def test_a_transposition_is_no_channel() -> None:
    """Positive, but not completely: the textbook example."""
    transposition = np.eye(4)[[0, 2, 1, 3]]
    with pytest.raises(ChannelError, match=r"not completely positive.*eigenvalue -1"):
        Channel.from_superoperator(transposition, "transposition")


def test_a_matrix_that_is_not_unitary() -> None:
    with pytest.raises(MatrixError):
        coherent([[1, 0], [0, 2]])


# ---- readout -------------------------------------------------------------------------------------


def test_readout_is_read_by_true() -> None:
    error = ReadoutError.flips(0.1, 0.3)
    assert error.assignment.tolist() == [[0.9, 0.3], [0.1, 0.7]]
    assert error.num_bits == 1
    assert error == ReadoutError([[0.9, 0.3], [0.1, 0.7]], "other")
    assert pickle.loads(pickle.dumps(error)) == error


def test_readout_powers() -> None:
    error = ReadoutError.flips(0.1, 0.3)
    assert np.abs(error.power(0.5).power(2).assignment - error.assignment).max() < 1e-12
    assert np.abs(error.power(2).assignment - error.assignment @ error.assignment).max() < 1e-15
    assert error.power(0) == ReadoutError(np.eye(2))
    with pytest.raises(ChannelError, match=r"to the power 0\.5 is none"):
        ReadoutError.flips(0.9, 0.8).power(0.5)
