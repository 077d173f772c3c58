"""Tables on terminals of any width: what is cut off is never what was asked for."""

from __future__ import annotations

import io
import re

import pytest

import qrealm
from qrealm.control.local import VerifyReport, VerifyRow
from qrealm.faces.cli.arguments import numbered
from qrealm.faces.cli.results_tables import counts_table
from qrealm.faces.cli.terminal import write_table
from qrealm.faces.cli.verify_command import _show
from qrealm.faces.ending import folded


class _Terminal(io.StringIO):
    """Standard output that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def printed(monkeypatch):
    def on(columns, show):
        out = _Terminal()
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        show()
        return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())

    return on


@pytest.mark.parametrize(
    "columns, qubits, bar", [(80, 34, 30), (40, 5, 17), (200, 5, 40), (30, 34, 0), (20, 5, 0)]
)
def test_the_bar_takes_what_outcomes_and_counts_leave(printed, columns, qubits, bar):
    result = qrealm.run(qrealm.ghz_circuit(qubits), shots=1024, seed=1)
    rows = printed(columns, lambda: write_table(counts_table(result))).splitlines()
    for row, (outcome, count) in zip(
        rows[1:], sorted(result.counts.items(), key=lambda i: -i[1]), strict=True
    ):
        assert row.split()[:2] == [outcome, str(count)]
    assert rows[1].count("█") == bar


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_verdicts_come_first_and_failures_again_at_the_end(printed, columns):
    rows = (
        VerifyRow("gates: cswap to mcry", 4, "tensor_network", "amplitudes", 1e-16, 1e-9, True, 0.1),
        VerifyRow("gates: cswap to mcry", 4, "mps", "chi-squared", 1e-30, 1e-7, False, 0.1, "off"),
    )
    text = printed(columns, lambda: _show(VerifyReport(rows, 1, 4096, 0.2)))
    _, first, second, *rest = text.splitlines()
    assert first.split()[0] == "ok"
    assert second.split()[0] == "DEVIATES"
    assert "DEVIATES: mps, gates: cswap to mcry, chi-squared 1e-30: off" in rest
    assert rest[-1].endswith("1 DEVIATE")


def test_help_is_one_line_for_each_paragraph():
    assert folded("One\n    and two.\n\n    Next\n    one.") == "One and two.\n\nNext one."


def test_reasons_of_one_kind_are_told_once(printed):
    whys = (
        "ry(0.02066) on qubit 0 is no Clifford gate",
        "u(0.1, 0.2, 0.3) on qubit 1 is no Clifford gate",
        "ccx on qubits [0, 1, 2] is no Clifford gate",
        "it keeps a pure state, and the circuit has noise",
        "it keeps a pure state, and the circuit has noise: the channel 'damping' on qubit 1",
    )
    rows = [VerifyRow(f"c{n}", 3, "mps", "", None, None, None, 0.0, why) for n, why in enumerate(whys)]
    text = printed(200, lambda: _show(VerifyReport(tuple(rows), 1, 4096, 0.2)))
    assert [line for line in text.splitlines() if line.startswith("not compared")] == [
        f"not compared: mps, 3 circuits: {whys[0]}, and the like",
        f"not compared: mps, 2 circuits: {whys[3]}, and the like",
    ]
    assert numbered(["a", "b", "a", "a"]) == ["a", "b", "a (2)", "a (3)"]
