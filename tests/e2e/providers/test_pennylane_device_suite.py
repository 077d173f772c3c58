"""PennyLane's own device tests, as ``pl-device-test --device qrealm.qubit`` runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pennylane")
pytest.importorskip("flaky")
pytest.importorskip("pytest_mock")

from pennylane.devices.tests import get_device_tests

SOURCE = Path(__file__).parents[3] / "src"
ENTRY_POINT = "[pennylane.plugins]\nqrealm.qubit = qrealm.faces.providers.pennylane:QrealmDevice\n"


def run_suite(folder: Path, *arguments: str) -> int:
    """How many tests passed; the report is shown when one fails.

    The device is registered in a folder that only this process sees, so nothing need be installed.
    """
    record = folder / "qrealm_devices-0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: qrealm-devices\nVersion: 0\n")
    (record / "entry_points.txt").write_text(ENTRY_POINT)
    path = os.pathsep.join([str(folder), str(SOURCE), os.environ.get("PYTHONPATH", "")])
    # As pl-device-test calls pytest; it would take the first one on PATH.
    command = [sys.executable, "-m", "pytest", "--device=qrealm.qubit", "--skip-ops", "--no-flaky-report"]
    command += ["-q", "-p", "no:cacheprovider", "-W", "ignore", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    found = re.search(r"(\d+) passed", done.stdout)
    assert found is not None, done.stdout
    return int(found[1])


def test_wires_and_gates(tmp_path: Path) -> None:
    suite = Path(get_device_tests())
    names = ["test_wires.py", "test_gates_with_expval.py"]
    assert run_suite(tmp_path, *(str(suite / name) for name in names)) >= 30


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("shots", [None, 10_000])
def test_the_whole_suite(tmp_path: Path, shots: int | None) -> None:
    arguments = [get_device_tests()] + ([f"--shots={shots}"] if shots else [])
    assert run_suite(tmp_path, *arguments) >= 350
