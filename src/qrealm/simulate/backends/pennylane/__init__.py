"""PennyLane's lightning.qubit, for comparison."""
