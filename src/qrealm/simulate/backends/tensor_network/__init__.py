"""Whole circuits as one network of tensors, contracted for single amplitudes and expectation values."""
