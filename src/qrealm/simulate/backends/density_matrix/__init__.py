"""Density matrix of all qubits on the processor's cores: exact noise, in the compiled state-vector kernel."""
