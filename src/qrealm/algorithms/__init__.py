"""Known quantum algorithms, built from circuits and runs."""
