"""The tree of errors: codes, texts, and that they survive a process border."""

from __future__ import annotations

import pickle
import re

import pytest

from qrealm.base import errors
from qrealm.base.errors import QrealmError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, QrealmError)]


def example(kind: type[QrealmError]) -> QrealmError:
    if kind is errors.TooLargeError:
        return kind("a run", needed_bytes=2**34, available_bytes=2**33)  # type: ignore[call-arg]
    if kind is errors.MissingExtraError:
        return kind("reading", package="qiskit", extra="qiskit")  # type: ignore[call-arg]
    if kind is errors.MissingNameError:
        cause = errors.MissingExtraError("reading", package="qiskit", extra="qiskit")
        return kind("QrealmProvider", cause)  # type: ignore[call-arg]
    return kind("what happened", hint="what to do")


def test_codes_are_unique_and_in_the_tree_of_the_docstring() -> None:
    assert errors.__doc__ is not None
    listed = dict(re.findall(r"(\w+Error) +(QR\d+)", errors.__doc__))
    own = {kind.__name__: kind.code for kind in KINDS if "code" in vars(kind)}
    assert len(set(own.values())) == len(own)
    assert {name: code for name, code in own.items() if name not in ("QrealmError", "UserError")} == listed


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_error_has_code_message_hint_and_is_pickled(kind: type[QrealmError]) -> None:
    error = example(kind)
    assert re.fullmatch(r"QR\d{3}", error.code)
    assert str(error).startswith(f"{error.code}: {error.message}")
    assert str(error).endswith(f"hint: {error.hint}")
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is kind
    assert (str(twin), vars(twin)) == (str(error), vars(error))
    assert error.exit_code == (2 if issubclass(kind, errors.UserError) else 1)


def test_too_large_says_how_much_and_what_to_do() -> None:
    assert str(
        errors.TooLargeError("a state of 40 qubits", needed_bytes=2**43, available_bytes=24 * 2**30)
    ) == (
        "QR201: a state of 40 qubits needs 8,192 GiB of memory; 24 GiB are available\n"
        "hint: use single precision (half the memory) or fewer qubits (half per qubit), or another backend "
        "or a larger machine"
    )


def test_a_missing_extra_names_the_command() -> None:
    error = errors.MissingExtraError("reading a Qiskit circuit", package="qiskit", extra="qiskit")
    assert error.hint == 'pip install "qrealm[qiskit]"'
    assert isinstance(error, ImportError)


def test_a_reading_error_points_at_the_place() -> None:
    error = errors.SyntaxReadError(
        "bad word", source="a.qasm", line=2, column=3, text="h ?;", rule="words", hint="mend"
    )
    assert str(error).splitlines() == [
        "QR121: a.qasm, line 2, column 3: bad word",
        "    h ?;",
        "      ^",
        "rule: words",
        "hint: mend",
    ]
