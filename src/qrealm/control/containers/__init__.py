"""Containers with registers of qubits: what `qdocker` commands."""
