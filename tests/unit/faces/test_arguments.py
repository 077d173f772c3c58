"""From words on the command line to values."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

import qrealm
from qrealm.base.errors import SourceFileError
from qrealm.faces.cli import terminal
from qrealm.faces.cli.arguments import (
    marked_path,
    output_marks,
    read_noise,
    read_source,
    spread_values,
    title_of,
)


@pytest.mark.parametrize(
    "words, expected",
    [
        ("bench --qubits 5 10 15", "bench --qubits 5 --qubits 10 --qubits 15"),
        ("bench --qubits 5 10 --verbose", "bench --qubits 5 --qubits 10 --verbose"),
        ("bench --threads 2 --qubits 5 6", "bench --threads 2 --qubits 5 --qubits 6"),
        ("bench --qubits 5 6 --threads 2", "bench --qubits 5 --qubits 6 --threads 2"),
        ("bench --qubits 5 -6", "bench --qubits 5 --qubits -6"),
        ("bench --qubits", "bench --qubits"),
        ("bench", "bench"),
    ],
)
def test_one_option_takes_several_values(words, expected):
    assert spread_values(words.split(), "--qubits") == expected.split()


def test_outputs_of_several_files_have_names_of_their_own():
    assert output_marks(["x/bell.qasm"]) == [""]
    assert output_marks(["x/bell.qasm", "-"]) == ["-bell", "-stdin"]
    assert output_marks(["a/bell.qasm", "b/bell.qasm", "a/bell.qasm"]) == ["-bell", "-bell-2", "-bell-3"]
    assert output_marks(["bell-2.qasm", "bell.qasm", "x/Bell.qasm"]) == ["-bell-2", "-bell", "-Bell-3"]
    assert marked_path(Path("a/out.png"), "") == Path("a/out.png")
    assert marked_path(Path("a/out.png"), "-bell") == Path("a/out-bell.png")
    assert title_of("-") == "<stdin>"


def test_stdin_must_be_text(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"\xff\xfe")))
    with pytest.raises(SourceFileError, match="not UTF-8"):
        read_source("-")


@pytest.mark.parametrize(
    "encoding, bars", [("utf-8", ["████", "██▌", "", "▏"]), ("ascii", ["####", "##", "", "#"])]
)
def test_bars(monkeypatch, encoding, bars):
    monkeypatch.setattr("sys.stdout", SimpleNamespace(encoding=encoding))
    assert [terminal.bar(1, 4), terminal.bar(0.625, 4), terminal.bar(0, 4), terminal.bar(0.13, 4)][
        :3
    ] == bars[:3]


def test_depolarizing_reaches_gates_of_every_width():
    """A qubit that is depolarised entirely reads 1 half the time, whatever gate it was in."""
    noise = read_noise(None, 1.0)
    for circuit in (
        qrealm.Circuit(1).z(0),
        qrealm.Circuit(2).cz(0, 1),
        qrealm.Circuit(3).ccx(0, 1, 2),
        qrealm.Circuit(4).mcx([0, 1, 2], 3),
    ):
        observables = [f"Z{q}" for q in range(circuit.num_qubits)]
        result = qrealm.run(circuit, shots=0, noise=noise, observables=observables)
        assert list(result.expectation_values.values()) == pytest.approx([0.0] * len(observables), abs=1e-12)
    again = type(noise).from_dict(noise.to_dict())
    assert again == noise
    assert "gates on 3 qubits or more" in noise.describe()
