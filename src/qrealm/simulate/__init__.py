"""Simulation: plan a circuit's run, carry it out on a backend, and hand out what came of it."""
