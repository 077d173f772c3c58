"""The benchmark of noise compares before it measures, and its comparison can fail."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pytest
from benchmarks import noise
from benchmarks.noise import SIMULATORS, Reading, Task, check_exact, check_samples, measure

from qrealm.circuits.noise import depolarizing

TASK = Task(4, 5, 0.05, 0, 1)


def test_layers_never_change():
    """Figures of different days compare only if the gates are the same."""
    gates = noise.layers(3, 2)
    assert [name for name, _, _ in gates] == ["ry", "rz"] * 3 + ["cx"] + ["ry", "rz"] * 3 + ["cx"]
    assert gates[0] == ("ry", (0,), pytest.approx(3.92759065, abs=1e-6))
    assert noise.layers(3, 2) == gates


def test_means_are_of_the_right_qubits():
    bits = noise.bits_of_counts({"001": 3, "110": 1}, 3)
    assert noise.means(bits).tolist() == [-0.5, 0.5, 0.5, -1.0, 1.0]


@pytest.mark.parametrize("name", ["qrealm", "aer"])
def test_exact_values_follow_the_definition(name):
    """One layer on one qubit: <Z> = cos of the RY angle, damped by 1 - p/10 for each of the two gates."""
    pytest.importorskip(SIMULATORS[name][0])
    task = dataclasses.replace(TASK, num_qubits=1, depth=1, probability=0.4)
    angle = noise.layers(1, 1)[0][2]
    assert SIMULATORS[name][2](task)()[0] == pytest.approx(np.cos(angle) * (1 - 0.04) ** 2, abs=1e-9)


def test_simulators_agree_and_a_wrong_one_is_found(monkeypatch):
    """Samples pass within five standard errors; those of another probability do not."""
    names = noise.installed("shots", list(SIMULATORS))
    assert "qrealm" in names
    check_samples(names, 1)
    package, kinds, prepare = SIMULATORS["qrealm"]
    monkeypatch.setitem(
        SIMULATORS,
        "qrealm",
        (package, kinds, lambda task: prepare(dataclasses.replace(task, probability=0.01))),
    )
    with pytest.raises(SystemExit, match=r"qrealm is .* standard errors off"):
        check_samples(["qrealm"], 1)


def test_exact_values_that_differ_are_found():
    values = SIMULATORS["qrealm"][2](TASK)()
    check_exact({"one": values, "two": values + 1e-10}, TASK)
    with pytest.raises(SystemExit, match=r"two differs by 1\.0e-06 at 4 qubits"):
        check_exact({"one": values, "two": values + 1e-6}, TASK)


def test_a_turn_is_measured_in_a_process_of_its_own(tmp_path):
    (reading,) = measure(TASK, ["qrealm"], 2)
    assert len(reading.wall_seconds) == len(reading.processor_seconds) == 2
    assert min(reading.wall_seconds) > 0
    assert reading.wall == sum(reading.wall_seconds) / 2
    noise.write_json([reading], tmp_path / "noise.json")
    written = json.loads((tmp_path / "noise.json").read_text())
    assert Reading(**written["readings"][0] | {"task": TASK}).simulator == "qrealm"
    assert written["readings"][0]["task"]["num_qubits"] == 4
    assert written["machine"]["cores"] >= 1


def test_help_names_the_options(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["noise", "--help"])
    with pytest.raises(SystemExit):
        noise.main()
    told = capsys.readouterr().out
    assert all(option in told for option in ("--exact", "--sampled", "--repeats", "--json", "--only"))
    assert "--turn" not in told


def test_depolarizing_means_the_same_everywhere():
    """qrealm's and Aer's p replaces the state; Cirq's is that of an error, p (1 - 4^-n)."""
    channel = depolarizing(0.1, 2)
    identity = next(share for share, operator in channel.mixture if np.allclose(operator, np.eye(4)))
    assert 1 - identity == pytest.approx(0.1 * (1 - 4.0**-2))
