"""Pauli sums: reading, arithmetic, masks."""

from __future__ import annotations

import numpy as np
import pytest

from qrealm.base.errors import ObservableError
from qrealm.circuits import PauliSum
from qrealm.circuits.matrices import pauli_string


def dense(observable: PauliSum, num_qubits: int = 3) -> np.ndarray:
    total = np.zeros((1 << num_qubits,) * 2, dtype=complex)
    for text, coefficient in observable.terms:
        letters = ["I"] * num_qubits
        for word in text.split() if text != "I" else []:
            letters[int(word[1:])] = word[0]
        total += coefficient * pauli_string("".join(letters))
    return total


@pytest.mark.parametrize(
    "text,terms",
    [
        ("Z0 Z1 + 0.5 X2", [("Z0 Z1", 1), ("X2", 0.5)]),
        ("-1.5*Y3", [("Y3", -1.5)]),
        ("I", [("I", 1)]),
        ("2", [("I", 2)]),
        ("X0*X1 - Z0@Z1", [("X0 X1", 1), ("Z0 Z1", -1)]),
        ("1e-3 Z0", [("Z0", 1e-3)]),
        ("- -2 Z_1", [("Z1", 2)]),
        ("x1z0", [("Z0 X1", 1)]),
        ("Z0 + Z0", [("Z0", 2)]),
        ("Z0 - Z0", []),
        ("X0 Y0", [("Z0", 1j)]),
        ("Z0 I I5", [("Z0", 1)]),
        ("  3*I  ", [("I", 3)]),
        (".5X0", [("X0", 0.5)]),
        ("Z63", [("Z63", 1)]),
    ],
)
def test_reading(text: str, terms: list) -> None:
    assert list(PauliSum(text).terms) == terms
    if all(isinstance(value, (int, float)) for _, value in terms) and terms:
        assert PauliSum(str(PauliSum(text))) == PauliSum(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "Z",
        "Z0 +",
        "+",
        "A0",
        "Z0 0.5",
        "Z0 ++- X1",
        "0.5.5 Z0",
        "Z-1",
        "Z0)",
        "1e999 Z0",
        "Z9999999",
        "nan",
        "Z0 / 2",
        "2**3",
    ],
)
def test_text_that_is_refused(text: str) -> None:
    with pytest.raises(ObservableError, match="QR108"):
        PauliSum(text)


def test_an_error_shows_the_column() -> None:
    with pytest.raises(ObservableError, match=r"at column 6: '& X1'") as caught:
        PauliSum("Z0   & X1")
    assert caught.value.hint == '"Z0 Z1 + 0.5 X2"'


def test_lists_and_labels() -> None:
    assert PauliSum([("IXZ", 0.5), ("Z0 Z1", 1.0)]) == PauliSum("0.5 Z0 X1 + Z0 Z1")
    assert PauliSum({"ZI": 1.0}) == PauliSum("Z1")
    for bad in ([("Z0",)], [3], 5, None, [("Z0", "x")], [("Z0", float("nan"))]):
        with pytest.raises(ObservableError):
            PauliSum(bad)


def test_arithmetic_against_matrices() -> None:
    rng = np.random.default_rng(2)
    strings = ["X0 Y1", "Z2", "Y0 Z1 X2", "I", "Y2 Y1", "X0 X1 X2"]
    for _ in range(20):
        a, b = (PauliSum([(s, rng.normal()) for s in rng.choice(strings, 3)]) for _ in range(2))
        assert np.allclose(dense(a * b), dense(a) @ dense(b))
        assert np.allclose(dense(a @ b - 2 * a + 1), dense(a) @ dense(b) - 2 * dense(a) + np.eye(8))
        assert np.allclose(dense(1.5 - a / 2), 1.5 * np.eye(8) - dense(a) / 2)
    with pytest.raises(TypeError):
        PauliSum("Z0") + "x"
    with pytest.raises(ObservableError):
        PauliSum("Z0") / 0


def test_masks() -> None:
    x, z, coefficients = PauliSum("Z0 Z1 + 0.5 X2 - 2 Y1 + 3").masks()
    assert x.tolist() == [0, 4, 2, 0]
    assert z.tolist() == [3, 0, 2, 0]
    assert coefficients.tolist() == [1.0, 0.5, -2.0, 3.0]
    assert (x.dtype, z.dtype, coefficients.dtype) == (np.uint64, np.uint64, np.float64)
    assert PauliSum("Z63").masks()[1].tolist() == [1 << 63]


def test_masks_want_a_hermitian_sum_of_64_qubits() -> None:
    with pytest.raises(ObservableError, match="not Hermitian"):
        PauliSum([("Z0", 1j)]).masks()
    with pytest.raises(ObservableError, match="qubit 64"):
        PauliSum("Z64").masks()


def test_properties() -> None:
    observable = PauliSum("Z0 + X4")
    assert observable.num_qubits == 5
    assert len(observable) == 2
    assert observable.is_hermitian
    assert repr(observable) == "PauliSum('Z0 + X4')"
    assert hash(observable) == hash(PauliSum("X4 + Z0"))
    assert PauliSum().num_qubits == 0
    assert str(PauliSum()) == "0"


def test_labels_of_full_width() -> None:
    assert PauliSum("ZII") == PauliSum("Z2")
    assert PauliSum("ZZI - 0.5 IXY + 2*III") == PauliSum("Z1 Z2 - 0.5 X1 Y0 + 2")
    assert PauliSum("IZ0 + XI") == PauliSum("Z0 + X1")
    for text in ("ZII + XI", "ZI X0", "X0 ZI", "zii"):
        with pytest.raises(ObservableError, match="labels of one length"):
            PauliSum(text)
