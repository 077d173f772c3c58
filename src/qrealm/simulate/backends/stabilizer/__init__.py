"""Clifford circuits with Pauli noise on thousands of qubits, by stim (C. Gidney, arXiv:2103.02202)."""
