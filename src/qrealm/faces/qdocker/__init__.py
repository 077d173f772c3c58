"""The `qdocker` command: containers with registers of qubits, in the manner of Docker's own command."""


def main() -> None:
    """Entry point: runs one command and exits with its code."""
    import sys

    try:
        from qrealm.faces.qdocker.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_EXIT_INTERRUPTED)
    run()


_EXIT_INTERRUPTED = 130

__all__ = ["main"]
