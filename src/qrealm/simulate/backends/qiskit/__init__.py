"""Qiskit Aer, for comparison."""
