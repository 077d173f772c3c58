"""What is no density matrix is told, whether states are found by a table or by a search."""

from __future__ import annotations

import numpy as np
import pytest

from qrealm.simulate.sparse_density import SparseDensity
from qrealm.simulate.sparse_density_faults import STATES_WHOLE, density_fault

SEARCHED, IN_A_TABLE = 31, 3


def of_matrix(matrix, num_qubits):
    """Its entries that are not 0, between the highest basis states."""
    places = np.argwhere(matrix != 0)
    first = (1 << num_qubits) - len(matrix)
    rows, cols = (places + first).astype(np.uint32).T
    return SparseDensity(num_qubits, rows, cols, matrix[tuple(places.T)].astype(complex))


def mixed(size, seed=3):
    """A random state of rank two, all of whose entries are there."""
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(size, 2)) + 1j * random.normal(size=(size, 2))
    matrix = vectors @ vectors.conj().T
    return matrix / np.trace(matrix).real


@pytest.mark.parametrize("num_qubits", [IN_A_TABLE, SEARCHED])
@pytest.mark.parametrize("size", [1, 2, 8])
def test_states(num_qubits, size):
    assert density_fault(of_matrix(mixed(size), num_qubits)) == ""
    assert density_fault(of_matrix(np.eye(size) / size, num_qubits)) == ""


def test_a_state_of_many_basis_states():
    matrix = mixed(4 * STATES_WHOLE)
    assert density_fault(of_matrix(matrix, 8)) == ""
    matrix[5, 60] += 1e-5
    assert density_fault(of_matrix(matrix, 8)) == "its matrix is not Hermitian"


@pytest.mark.parametrize("num_qubits", [IN_A_TABLE, SEARCHED])
@pytest.mark.parametrize("left_out", [(0, 1), (1, 0)])
def test_one_of_two_entries_that_belong_together(num_qubits, left_out):
    matrix = np.array([[0.5, 0.1j, 0], [-0.1j, 0.3, 0], [0, 0, 0.2]])
    assert density_fault(of_matrix(matrix, num_qubits)) == ""
    matrix[left_out] = 0
    assert density_fault(of_matrix(matrix, num_qubits)) == "its matrix is not Hermitian"
    matrix[left_out[::-1]] = 1e-9  # rounding
    assert density_fault(of_matrix(matrix, num_qubits)) == ""


@pytest.mark.parametrize("num_qubits", [IN_A_TABLE, SEARCHED])
def test_entries_where_no_probability_is(num_qubits):
    matrix = np.diag([0.5, 0.5, 0.0]).astype(complex)
    matrix[0, 2] = matrix[2, 0] = 1e-4
    assert "larger than the probabilities" in density_fault(of_matrix(matrix, num_qubits))
    matrix[0, 2] = matrix[2, 0] = 1e-9
    assert density_fault(of_matrix(matrix, num_qubits)) == ""


@pytest.mark.parametrize("size", [3, STATES_WHOLE])
def test_every_two_states_may_be_and_all_of_them_not(size):
    matrix = np.full((size, size), -1.0 / size)
    np.fill_diagonal(matrix, 1.0 / size)
    assert density_fault(of_matrix(matrix, 5)) == "its matrix is not positive"
