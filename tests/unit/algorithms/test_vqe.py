"""VQE: molecular hydrogen against published energies, an Ising chain against its closed form."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

from qrealm.algorithms.ansatz import hardware_efficient_ansatz
from qrealm.algorithms.hydrogen import hydrogen_ansatz, hydrogen_hamiltonian
from qrealm.algorithms.optimizers import GRADIENT_OPTIMIZERS, OPTIMIZERS, SAMPLING_OPTIMIZERS
from qrealm.algorithms.progress import ProgressLine
from qrealm.algorithms.spectrum import diagonal_values, ground_energy
from qrealm.algorithms.vqe import run_vqe
from qrealm.base.errors import ObservableError, ParameterError, RequestError
from qrealm.circuits import Circuit, Parameter, PauliSum
from qrealm.simulate.run import run

FULL_CI_HARTREE = -1.13727017466  # H2, STO-3G, 0.7414 angstrom: full CI in OpenFermion's molecular data

# Two-qubit H2 at 0.735 angstrom in the parity mapping, electronic energy only, as in Qiskit's VQE tutorials:
# II, IZ, ZI, ZZ, XX. There |01> is Hartree-Fock.
PUBLISHED = {
    "I": -1.052373245772859,
    "Z0": 0.39793742484318045,
    "Z1": -0.39793742484318045,
    "Z0 Z1": -0.01128010425623538,
    "X0 X1": 0.18093119978423156,
}


def ising_chain(n, coupling, field):
    bonds = [(f"Z{q} Z{(q + 1) % n}", -coupling) for q in range(n)]
    return PauliSum(bonds + [(f"X{q}", -field) for q in range(n)])


def ising_energy(n, coupling, field):
    """Ground energy of the periodic chain, P. Pfeuty, Annals of Physics 57, 79 (1970)."""
    momenta = [(2 * m + 1) * math.pi / n for m in range(n)]
    return -sum(math.sqrt(coupling**2 + field**2 - 2 * coupling * field * math.cos(k)) for k in momenta)


def test_hydrogen_has_the_published_coefficients():
    ours = dict(hydrogen_hamiltonian(0.735).terms)
    nuclei = 0.529177210903 / 0.735
    assert ours["I"].real - nuclei == pytest.approx(PUBLISHED["I"], abs=1e-6)
    # X on qubit 0 turns the parity mapping into ours: Z0 and Z0 Z1 change their signs.
    flipped = {"Z0": -1, "Z1": 1, "Z0 Z1": -1, "X0 X1": 1}
    for name, sign in flipped.items():
        assert ours[name].real == pytest.approx(sign * PUBLISHED[name], abs=1e-7)


def test_hydrogen_energies():
    assert ground_energy(hydrogen_hamiltonian(0.7414)) == pytest.approx(FULL_CI_HARTREE, abs=1e-7)
    energy = run(Circuit(2), 0, observables={"E": hydrogen_hamiltonian(0.7414)}).expectation_values["E"]
    assert energy == pytest.approx(-1.1167, abs=5e-5)  # Szabo and Ostlund, section 3.5.2: -1.1167 at 1.4 bohr
    # Far apart the bond is gone: two hydrogen atoms in STO-3G, -0.46658 hartree each.
    assert ground_energy(hydrogen_hamiltonian(20)) == pytest.approx(2 * -0.4665819, abs=1e-6)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_finds_hydrogen(optimizer):
    found = run_vqe(
        hydrogen_hamiltonian(), hydrogen_ansatz(), optimizer=optimizer, seed=1, iterations_max=300
    )
    assert found.energy == pytest.approx(FULL_CI_HARTREE, abs=1e-5)
    assert found.energy >= FULL_CI_HARTREE - 1e-7  # variational
    assert found.standard_error == 0
    assert found.evaluations == len(found.history) > 1
    assert found.optimizer == optimizer
    assert found.converged is (optimizer != "SPSA")
    assert ("SPSA has no tolerance" in found.message) is (optimizer == "SPSA")
    assert found.parameters.keys() == {"theta"}


def test_hardware_efficient_ansatz_finds_hydrogen_too():
    found = run_vqe(hydrogen_hamiltonian(), seed=1)
    assert found.energy == pytest.approx(FULL_CI_HARTREE, abs=1e-6)
    assert len(found.parameters) == 12
    assert found.history[0] > found.energy


@pytest.mark.parametrize("field", [0.5, 1.0, 1.7])
def test_ising_chain_by_its_own_layers(field):
    n = 6  # exact in n/2 layers: W. W. Ho and T. H. Hsieh, SciPost Phys. 6, 029 (2019)
    ansatz = Circuit(n).h(range(n))
    for layer in range(n // 2):
        for q in range(n):
            ansatz.rzz(Parameter(f"a{layer}"), q, (q + 1) % n)
        ansatz.rx(Parameter(f"b{layer}"), range(n))
    exact = ising_energy(n, 1.0, field)
    assert ground_energy(ising_chain(n, 1.0, field)) == pytest.approx(exact, abs=1e-10)
    start = np.linspace(0.2, 0.9, n)
    found = run_vqe(ising_chain(n, 1.0, field), ansatz, initial_values=start, tolerance=1e-12)
    assert found.energy == pytest.approx(exact, abs=1e-6)


def test_sampled_energies_come_with_their_error():
    found = run_vqe(
        hydrogen_hamiltonian(), hydrogen_ansatz(), optimizer="SPSA", shots=2000, iterations_max=60, seed=3
    )
    assert 0 < found.standard_error < 0.02
    assert abs(found.energy - FULL_CI_HARTREE) < 5 * found.standard_error + 0.01  # and SPSA's own distance
    again = run_vqe(
        hydrogen_hamiltonian(), hydrogen_ansatz(), optimizer="SPSA", shots=2000, iterations_max=60, seed=3
    )
    assert again.history == found.history


def test_callback_and_progress_see_every_evaluation(capsys):
    seen = []
    found = run_vqe(
        "Z0 Z1 + 0.5 X0",
        optimizer="COBYLA",
        layers=1,
        iterations_max=40,
        seed=2,
        progress=True,
        callback=lambda number, values, energy: seen.append((number, values.shape, energy)),
    )
    assert [number for number, _, _ in seen] == list(range(1, found.evaluations + 1))
    assert tuple(energy for _, _, energy in seen) == found.history
    assert all(shape == (8,) for _, shape, _ in seen)
    assert found.evaluations <= 42
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\r") == found.evaluations
    assert f"evaluation {found.evaluations}:" in told.err
    assert told.err.endswith("\n")


def test_progress_bar_fills():
    stream = io.StringIO()
    line = ProgressLine(4, stream)
    for value in (3.0, 2.0, 1.0, 2.5):
        line.update(value, 1.0)
    line.close()
    assert "[######..................] evaluation 1: 3" in stream.getvalue()
    assert "[########################] evaluation 4: 2.5, best 1" in stream.getvalue()


def test_the_limit_of_iterations_limits():
    short = run_vqe("Z0 Z1 + 0.5 X0", optimizer="Adam", iterations_max=5, seed=1)
    assert short.evaluations == 5
    assert not short.converged
    slow = run_vqe("Z0 Z1 + 0.5 X0", optimizer="Adam", iterations_max=5, seed=1, learning_rate=1e-6)
    assert max(slow.history) - min(slow.history) < 1e-4 < max(short.history) - min(short.history)


def test_initial_values_by_name_or_in_order():
    by_name = run_vqe("Z0", Circuit(1).ry(Parameter("a"), 0), initial_values={"a": 0.3}, iterations_max=3)
    in_order = run_vqe("Z0", Circuit(1).ry(Parameter("a"), 0), initial_values=[0.3], iterations_max=3)
    assert by_name.history == in_order.history
    assert by_name.history[0] == pytest.approx(math.cos(0.3), abs=1e-12)


def test_ansatz_shapes():
    circuit = hardware_efficient_ansatz(4, 3, rotations=("ry",), entanglement="ring")
    assert circuit.count_ops() == {"ry": 16, "cx": 12}
    assert len(circuit.parameters) == 16
    assert hardware_efficient_ansatz(4, 1, entanglement="full").count_ops()["cx"] == 6
    assert hardware_efficient_ansatz(2, 1, entanglement="ring").count_ops()["cx"] == 1
    with pytest.raises(RequestError, match="entanglement"):
        hardware_efficient_ansatz(2, 1, entanglement="star")
    with pytest.raises(RequestError, match="rotations"):
        hardware_efficient_ansatz(2, 1, rotations=("u",))


@pytest.mark.parametrize(
    "change, error, fault",
    [
        ({"hamiltonian": "2"}, ObservableError, "constant"),
        ({"hamiltonian": PauliSum("Z0") * 1j}, ObservableError, "not Hermitian"),
        ({"ansatz": "uccsd"}, RequestError, "ansatz is 'uccsd'"),
        ({"ansatz": Circuit(2).h(0)}, RequestError, "no open parameters"),
        ({"ansatz": Circuit(1).ry(Parameter("a"), 0)}, RequestError, "acts on 2"),
        ({"ansatz": Circuit(2).ry(Parameter("a"), 0), "layers": 2}, RequestError, "layers belongs"),
        ({"optimizer": "BFGS2"}, RequestError, "must be one of L-BFGS-B"),
        ({"optimizer": "COBYLA", "learning_rate": 0.1}, RequestError, "no learning rate"),
        ({"optimizer": "Adam", "learning_rate": -1}, RequestError, "learning_rate is -1"),
        ({"iterations_max": 0}, RequestError, "iterations_max"),
        ({"tolerance": 0}, RequestError, "tolerance"),
        ({"initial_values": [1.0]}, ParameterError, "12 finite numbers"),
        ({"initial_values": {"a": 1.0}}, ParameterError, "the ansatz has"),
        ({"initial_values": [math.nan] * 12}, ParameterError, "finite"),
    ],
)
def test_refuses(change, error, fault):
    with pytest.raises(error, match=fault):
        run_vqe(**{"hamiltonian": "Z0 Z1", **change})


@pytest.mark.parametrize("optimizer", GRADIENT_OPTIMIZERS)
def test_gradients_need_exact_values(optimizer):
    with pytest.raises(RequestError, match="follows exact gradients") as caught:
        run_vqe("Z0", optimizer=optimizer, shots=100)
    assert all(name in caught.value.hint for name in SAMPLING_OPTIMIZERS)


@pytest.mark.parametrize("n, bytes_max", [(3, 1 << 30), (7, 1 << 30), (7, 0)])
def test_ground_energy_against_the_matrix(n, bytes_max, monkeypatch):
    """Below and above the size where Lanczos takes over, with factors kept and not."""
    monkeypatch.setattr("qrealm.algorithms.spectrum._FACTOR_BYTES_MAX", bytes_max)
    rng = np.random.default_rng(n)
    letters = {
        "I": np.eye(2),
        "X": np.array([[0, 1], [1, 0]]),
        "Y": np.array([[0, -1j], [1j, 0]]),
        "Z": np.diag([1, -1]),
    }
    labels = ["".join(rng.choice(list("IXYZ"), n)) for _ in range(6)]
    matrix = np.zeros((1 << n, 1 << n), dtype=complex)
    for weight, label in enumerate(labels, 1):
        product = np.eye(1)
        for letter in label:
            product = np.kron(product, letters[letter])
        matrix += weight * product
    terms = PauliSum([(label, weight) for weight, label in enumerate(labels, 1)])
    assert ground_energy(terms) == pytest.approx(np.linalg.eigvalsh(matrix)[0], abs=1e-9)


def test_diagonal_values():
    values = diagonal_values(PauliSum("Z0 Z1 - 2 Z1 + 3"))
    assert values.tolist() == [2, 0, 4, 6]
    with pytest.raises(ObservableError, match="not diagonal"):
        diagonal_values(PauliSum("X0"))


def test_plot(tmp_path):
    found = run_vqe(hydrogen_hamiltonian(), hydrogen_ansatz(), optimizer="COBYLA", seed=1)
    pytest.importorskip("matplotlib")
    plain = found.plot(tmp_path / "plain.png")
    both = found.plot(tmp_path / "both.png", reference=FULL_CI_HARTREE, title="H2")
    assert plain.read_bytes()[:4] == b"\x89PNG"
    assert both.stat().st_size > plain.stat().st_size
    with pytest.raises(RequestError, match="ending"):
        found.plot(tmp_path / "plot.txt")
