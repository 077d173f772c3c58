"""From words on the command line to values."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

import qrealm
from qrealm.base.errors import ChannelError, RequestError, SchemaError, SourceFileError
from qrealm.faces.cli import terminal
from qrealm.faces.cli.arguments import (
    check_asked,
    marked_path,
    output_marks,
    read_noise,
    read_parameters,
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


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[1, 2]", SchemaError),
        ('{"format": 2}', SchemaError),
        ("{", SchemaError),
        (
            json.dumps({"format": 1, "readout": [{"qubit": 0, "error": {"assignment": [[2, 0], [0, 1]]}}]}),
            ChannelError,
        ),
    ],
)
def test_a_file_that_is_no_noise_model_is_named(tmp_path, text, kind):
    path = tmp_path / "n.json"
    path.write_text(text)
    with pytest.raises(kind, match=r"--noise '.*n\.json'"):
        read_noise(path, None)


def test_parameters_on_the_command_line():
    assert read_parameters(["a=0.3", "b = -1e-2"]) == {"a": 0.3, "b": -0.01}
    for words in (["a"], ["=1"], ["a=x"], ["a=inf"], ["a=1", "a=2"]):
        with pytest.raises(RequestError, match="--parameter got"):
            read_parameters(words)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ((0, (), False, False, "--statevector"), "add --observable or --statevector"),
        ((0, ("Z0",), True, False, "--state"), "--sampled needs --observable"),
        ((10, (), True, False, "--state"), "--sampled needs --observable"),
    ],
)
def test_requests_for_nothing_are_told_in_options(asked, words):
    with pytest.raises(RequestError) as caught:
        check_asked(*asked)
    assert words in str(caught.value)
    assert "=True" not in str(caught.value)
