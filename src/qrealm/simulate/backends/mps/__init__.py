"""Matrix product states: a chain of small tensors, for wide circuits with little entanglement."""
