"""Noisy sampling on state vectors: every shot is a pure state that meets errors at random."""
