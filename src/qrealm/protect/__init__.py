"""Error mitigation: less wrong answers from noisy runs, and what they cost in shots."""
