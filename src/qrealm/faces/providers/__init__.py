"""What users of Qiskit, Cirq, PennyLane and PyTorch plug in: their own interfaces, carried out by qrealm."""
