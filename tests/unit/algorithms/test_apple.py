"""The Apple engine: the same answers as the functions, and the truth about where they were computed."""

from __future__ import annotations

import inspect
import sys

import pytest

import qrealm.algorithms as algorithms
from qrealm.algorithms import AppleSiliconQuantumEngine
from qrealm.algorithms.apple import GPU_BACKEND, metal_missing
from qrealm.base.errors import RequestError
from qrealm.circuits import Circuit
from qrealm.circuits.noise import NoiseModel, depolarizing
from qrealm.simulate.backends import QuantumBackend


def test_device_is_what_this_machine_has():
    engine = AppleSiliconQuantumEngine()
    told = engine.describe()
    if metal_missing():
        assert (engine.device, engine.backend) == ("cpu", "auto")
        assert told["reason"] == metal_missing()
    else:
        assert (engine.device, engine.backend) == ("metal", "gpu")
    assert told["device"] == engine.device
    used = engine.run(Circuit(1).x(0), shots=5).metadata["backend"]
    assert used == "gpu" if engine.device == "metal" else used != "auto"


@pytest.mark.skipif(sys.platform == "darwin", reason="what other systems say")
def test_other_systems_say_why_not():
    assert "Metal is macOS's" in metal_missing()
    with pytest.raises(RequestError, match="cannot be used: Metal is macOS's"):
        AppleSiliconQuantumEngine("metal")


@pytest.mark.parametrize("torch_there", [False, True])
def test_a_mac_without_metal_says_what_is_missing(monkeypatch, torch_there):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    if not torch_there:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    engine = AppleSiliconQuantumEngine()
    assert (engine.device, engine.backend) == ("cpu", "auto")
    if GPU_BACKEND not in list(QuantumBackend):
        expected = "has no GPU backend"
    else:
        expected = "finds no Metal device" if torch_there else "pip install 'qrealm[torch]'"
    assert expected in engine.describe()["reason"]


def test_cpu_can_be_asked_for():
    engine = AppleSiliconQuantumEngine("cpu")
    assert engine.device == "cpu"
    assert "asked for" in repr(engine)
    with pytest.raises(RequestError, match="device is 'tpu'"):
        AppleSiliconQuantumEngine("tpu")
    with pytest.raises(RequestError, match="engine's own"):
        engine.run_ghz(3, backend="statevector")


def test_noise_and_width_find_their_backend_on_the_cpu():
    engine = AppleSiliconQuantumEngine("cpu")
    noise = NoiseModel().after_gates(depolarizing(0.05, 2), "cx")
    assert len(engine.run_ghz(3, seed=1, noise=noise).counts) > 2
    assert engine.run_ghz(200, seed=1).counts.keys() == {"0" * 200, "1" * 200}
    assert (engine.device, engine.describe()["reason"]) == ("cpu", "device='cpu' was asked for")


def test_every_run_function_is_a_method():
    functions = {name for name in algorithms.__all__ if name.startswith("run_")}
    methods = {name for name in dir(AppleSiliconQuantumEngine) if name.startswith("run_")}
    assert functions == methods
    for name in functions:
        given = list(inspect.signature(getattr(AppleSiliconQuantumEngine, name)).parameters)[1:-1]
        wanted = list(inspect.signature(getattr(algorithms, name)).parameters)
        assert given == wanted[: len(given)]


def test_methods_give_what_the_functions_give():
    engine = AppleSiliconQuantumEngine("cpu")
    assert engine.run_grover(6, 9, seed=1).counts == algorithms.run_grover(6, 9, seed=1).counts
    assert engine.run_qft(4, 3, seed=1).counts == algorithms.run_qft(4, 3, seed=1).counts
    assert engine.run_shor(15, seed=1).factors == (3, 5)
    unitary = Circuit(1).p(0.7, 0)
    assert engine.run_phase_estimation(unitary, 4, "1", seed=1).phase == 2 / 16
    rotation = Circuit(1).ry(1.0, 0)
    assert engine.run_amplitude_estimation(rotation, 0, 4, seed=1).estimate == pytest.approx(0.2298, abs=0.02)
    assert engine.run_iterative_amplitude_estimation(rotation, 0, 0.02, seed=1).estimate == pytest.approx(
        0.2298, abs=0.02
    )
    assert engine.run_vqe("Z0 Z1 + X0", seed=1).energy == pytest.approx(-(2**0.5), abs=1e-6)
    assert engine.run_qaoa("Z0 Z1", seed=1).best_cost == -1
    assert engine.run_maxcut([(0, 1), (1, 2)], seed=1).best_cost == 2
    assert engine.run_teleportation((0, 1)).fidelity == pytest.approx(1)
    assert engine.run_ghz(3, seed=1).fidelity == pytest.approx(1)
    assert engine.run_w(3, seed=1).fidelity == pytest.approx(1)
    assert engine.run_quantum_volume(2, 10, seed=1).num_circuits == 10


def test_methods_on_the_gpu_backend(monkeypatch):
    """The engine as on a Mac with Metal; here PyTorch computes on whatever device it finds."""
    pytest.importorskip("torch")
    monkeypatch.setattr("qrealm.algorithms.apple.metal_missing", lambda: "")
    engine = AppleSiliconQuantumEngine("metal")
    assert (engine.device, engine.backend) == ("metal", "gpu")
    facts = engine.run(Circuit(2).h(0).cx(0, 1), seed=1).metadata
    assert (facts["backend"], facts["precision"]) == ("gpu", "single")
    found = engine.run_grover(6, 9, seed=1)
    assert found.found_item == 9
    assert found.probability == pytest.approx(0.99658, abs=1e-5)
    assert engine.run_vqe("Z0 Z1 + X0", seed=1).energy == pytest.approx(-(2**0.5), abs=1e-5)
    assert engine.run_teleportation((0.6, 0.8j)).fidelity == pytest.approx(1, abs=1e-6)
    assert engine.run_shor(15, base=7, shots=8, seed=1).order == 4
