"""Broken QIR: whatever comes in, a reader gives a circuit or one of our errors, soon."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrealm.base.errors import QrealmError, SyntaxReadError, UnsupportedError
from qrealm.circuits import Circuit, read
from qrealm.circuits.formats.qir import BITCODE_MARKS
from qrealm.circuits.read import read_text
from unit.circuits.test_qir import HEAD, OPAQUE, TAIL, TYPED, X2, program

PIECES = [
    "ptr", "null", "%a", "@0", "call", "br", "i1", "label %end", "phi", "[", "]", "(", ")", "{", "}", ",",
    "=", '"', 'c"', "\n", ";", ":", "end:", "define", "inttoptr (i64 99999999999 to ptr)", "getelementptr",
    "i64", "-1", "0x", "#0", "!", "ret void", "true", "1e999", "select", "zext", "i999999", "\\", "x" * 50,
    "\0", "é",
]  # fmt: skip


@settings(max_examples=300)
@given(st.sampled_from([TYPED, OPAQUE]), st.data())
def test_programs_with_parts_changed(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(st.sampled_from(PIECES) | st.text(max_size=3)) + text[end:]
    only_our_errors(text)


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=40))
def test_pieces_in_any_order(pieces: list[str]) -> None:
    only_our_errors("; ModuleID = 'x'\n" + " ".join(pieces))
    only_our_errors(HEAD + " ".join(pieces) + TAIL)


def only_our_errors(text: str) -> None:
    result: Circuit | QrealmError
    begun = time.thread_time()
    try:
        result = read_text(text)
    except QrealmError as error:
        result = error
    assert time.thread_time() - begun < 10
    if isinstance(result, Circuit):
        assert result.digest
        return
    assert result.message
    if isinstance(result, SyntaxReadError | UnsupportedError):
        assert result.line >= 1
        assert result.rule


def test_long_programs_do_not_take_long() -> None:
    """Branches one after the other, and a ladder whose sides meet late: linear, or refused."""
    chain = "".join(
        f"br i1 %a, label %t{i}, label %m{i}\nt{i}:\n{X2}br label %m{i}\nm{i}:\n" for i in range(2000)
    )
    assert program(chain + "ret void").count_ops()["if"] == 2000
    nested = "".join(f"br i1 %a, label %t{i}, label %end\nt{i}:\n" for i in range(200))
    with pytest.raises(UnsupportedError, match="nested too deeply"):
        program(nested + "br label %end\nend:\nret void")
    ladder = "br label %b0\n" + "".join(
        f"b{i}:\nbr i1 %a, label %b{i + 1}, label %c{i}\nc{i}:\nbr i1 %b, label %b{i + 1}, label %b{i + 2}\n"
        for i in range(60)
    )
    with pytest.raises(UnsupportedError):
        program(ladder + "b60:\nbr label %b61\nb61:\nret void")


def test_damaged_bitcode() -> None:
    """LLVM reads it in a process of its own, so whatever it does to itself, we get an error."""
    pyqir = pytest.importorskip("pyqir")
    bitcode = pyqir.Module.from_ir(pyqir.Context(), OPAQUE).bitcode
    rng = np.random.default_rng(3)
    refused = 0
    for cut in (4, 100, len(bitcode) // 2):
        with pytest.raises(SyntaxReadError, match="does not read this bitcode"):
            read(bitcode[:cut])
    for _ in range(12):
        damaged = bytearray(bitcode)
        for place in rng.integers(4, len(bitcode), 3):
            damaged[place] = rng.integers(256)
        try:
            read(bytes(damaged))
        except QrealmError:
            refused += 1
    assert refused


def test_a_reader_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyqir")

    def killed(*args: object, **kwargs: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], -11, b"", b"")

    monkeypatch.setattr(subprocess, "run", killed)
    with pytest.raises(SyntaxReadError, match="its reader failed"):
        read(BITCODE_MARKS[0] + bytes(20))
    monkeypatch.undo()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(UnsupportedError, match="no process could be started") as caught:
        read(BITCODE_MARKS[0] + bytes(20))
    assert "llvm-dis" in caught.value.hint
