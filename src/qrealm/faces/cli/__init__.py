"""The command line: data to stdout, messages to stderr, exit code 2 for what the caller can mend."""

from qrealm.faces.cli.app import main

__all__ = ["main"]
