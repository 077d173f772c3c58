"""The GPU's benchmark, on PyTorch's processor device: right answers only, figures that are figures."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch")

from benchmarks import gpu
from benchmarks.cases import Case

from qrealm.simulate.backends.gpu import device as devices
from qrealm.simulate.plan.types import Precision


@pytest.mark.parametrize("precision", Precision)
def test_a_circuit_is_timed(precision: Precision) -> None:
    found = gpu.measure(Case.build("qft", 10), precision, "library", devices.choose("cpu"), 1e10, 2)
    assert not found.failed
    assert 0 < found.error <= gpu.ERROR_MAX[precision]
    assert 0 < found.seconds < 10
    assert 0 < found.cpu_seconds < 10
    assert found.of_bandwidth > 0


def test_wrong_amplitudes_have_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gpu.ERROR_MAX, Precision.SINGLE, 0.0)
    found = gpu.measure(Case.build("qv", 8), Precision.SINGLE, "library", devices.choose("cpu"), 1e10, 1)
    assert "wrong" in found.failed
    assert math.isnan(found.seconds)


def test_what_a_kernel_refuses_is_told() -> None:
    """The tile kernel is for CUDA alone."""
    found = gpu.measure(Case.build("ghz", 8), Precision.SINGLE, "tiles", devices.choose("cpu"), 1e10, 1)
    assert "CUDA" in found.failed


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.copy_bandwidth(devices.choose("cpu"), repeats=1) > 1e8
    gpu.main(["--device", "cpu", "--qubits", "8", "--families", "ghz", "--repeats", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert sum("ghz" in line and "library" in line for line in lines) == 2


@pytest.mark.skipif("cuda" in devices.kinds() or "mps" in devices.kinds(), reason="there is a GPU")
def test_a_machine_without_a_gpu_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main([])
    assert "no GPU" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="cuda"):
        gpu.main(["--device", "cuda"])
