"""The `qdocker` command: containers with registers of qubits, in the manner of Docker's own command."""


def main() -> None:
    """Entry point: runs one command and exits with its code."""
    from qrealm.faces.qdocker.app import main as run

    run()


__all__ = ["main"]
