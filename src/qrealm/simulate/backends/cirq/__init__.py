"""Cirq's simulator, for comparison."""
