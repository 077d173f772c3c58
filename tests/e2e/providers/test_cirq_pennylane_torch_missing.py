"""Without a framework its provider says which command installs it, and everything else goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
sys.modules["{package}"] = None  # as if it were not installed
import qrealm
from qrealm.base.errors import MissingExtraError
assert qrealm.run(qrealm.Circuit(1).x(0), shots=3).counts == {{"1": 3}}
try:
    {statement}
except MissingExtraError as problem:
    assert isinstance(problem, ImportError)
    print(problem)
"""


@pytest.mark.parametrize(
    "package,statement",
    [
        ("cirq", "import qrealm.faces.providers.cirq"),
        ("pennylane", "import qrealm.faces.providers.pennylane"),
        ("torch", "import qrealm.faces.providers.torch"),
        ("cirq", "qrealm.Circuit(1).to_cirq()"),
        ("pennylane", "qrealm.Circuit(1).to_pennylane()"),
    ],
)
def test_the_error_names_the_command(package: str, statement: str) -> None:
    program = PROGRAM.format(package=package, statement=statement)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("QR400: ")
    assert f'pip install "qrealm[{package}]"' in done.stdout
