"""What a `Result` tells."""

from __future__ import annotations

import json
import math
import pickle
import sys

import numpy as np
import pytest

import qrealm
from qrealm.base.errors import MissingExtraError, QrealmWarning, RequestError
from qrealm.simulate import bits, pictures
from qrealm.simulate.bits import BitLayout


def rough(angle: object = 0.1) -> qrealm.Circuit:
    """Far more entangled than bonds of 2 can hold."""
    circuit = qrealm.Circuit(10).rx(angle, 0)
    for layer in range(8):
        for qubit in range(10):
            circuit.rx(0.3 + layer + 0.7 * qubit, qubit)
        for qubit in range(layer % 2, 9, 2):
            circuit.cx(qubit, qubit + 1)
    return circuit


def test_an_approximation_beyond_the_accuracy_is_told():
    options = {"shots": 10, "seed": 1, "backend": "mps", "options": qrealm.MPSOptions(bond_max=2)}
    result = qrealm.run(rough(), **options)
    (line,) = result.metadata["warnings"]
    assert result.truncation_error > 0.01
    assert f"threw away {result.truncation_error:.4g} of the state's weight" in line
    assert result.warnings == pickle.loads(pickle.dumps(result)).warnings == (line,)
    assert f"warning: {line}" in repr(result)
    assert not qrealm.run(rough(), accuracy=0.999999, **options).warnings
    assert not qrealm.run(rough(), shots=10, seed=1, backend="mps").warnings


def test_rough_expectations_warn():
    """An array cannot tell that it is wrong by 0.1 and more; the warning can."""
    a = qrealm.Parameter("a")
    exact = qrealm.expectations(rough(a), [[0.1], [0.2]], "Z0 Z7", backend="mps")
    with pytest.warns(QrealmWarning, match="expectations: the mps backend threw away") as told:
        found = qrealm.expectations(
            rough(a), [[0.1], [0.2]], "Z0 Z7", backend="mps", options=qrealm.MPSOptions(bond_max=2)
        )
    assert told[0].filename == __file__
    assert np.abs(found - exact).max() > 1e-3


def test_an_account_of_the_plan_is_there_or_absent_never_empty():
    circuit = qrealm.Circuit(2).h(0).cx(0, 1)
    for backend, told in (("statevector", True), ("density_matrix", True), ("mps", False)):
        made = qrealm.run(circuit, shots=5, seed=1, backend=backend).metadata
        assert bool(made.get("plan")) == ("plan" in made) == told
    halfway = qrealm.Circuit(1, 1).h(0).measure(0, 0).h(0)
    assert "plan" not in qrealm.run(halfway, shots=5, seed=1, backend="statevector").metadata


def skewed(shots: int = 4000) -> qrealm.Result:
    return qrealm.run(qrealm.Circuit(2).ry(1.0, 0).x(1), shots=shots, seed=2)


def test_probabilities_are_shares_of_the_shots_or_exact():
    result = skewed()
    assert result.probabilities() == {key: count / 4000 for key, count in result.counts.items()}
    exact = qrealm.run(qrealm.Circuit(2).ry(1.0, 0).x(1), shots=0, return_statevector=True)
    assert exact.probabilities() == pytest.approx({"10": math.cos(0.5) ** 2, "11": math.sin(0.5) ** 2})
    neither = qrealm.run(qrealm.Circuit(1), shots=0, observables="Z0")
    with pytest.raises(RequestError, match="needs shots or a state"):
        neither.probabilities()


def test_the_most_frequent_outcome_and_marginals():
    result = skewed()
    assert result.most_frequent == "10"
    assert result.marginal([1]) == {"1": 4000}
    assert result.marginal([0]) == {"0": result.counts["10"], "1": result.counts["11"]}
    assert result.marginal([1, 0]) == {"01": result.counts["10"], "11": result.counts["11"]}
    for qubits, words in (([5], "qubits 0 to 1"), ([0, 0], "named twice")):
        with pytest.raises(RequestError, match=words):
            result.marginal(qubits)


def test_marginals_follow_qubits_into_their_classical_bits():
    circuit = qrealm.Circuit(3, 2).x(2).measure([2, 0], [0, 1])
    result = qrealm.run(circuit, shots=10)
    assert result.marginal([2]) == {"1": 10}
    assert result.marginal([0]) == {"0": 10}
    with pytest.raises(RequestError, match="does not measure at its end"):
        result.marginal([1])


def test_a_diagonal_observable_from_counts():
    result = skewed(40000)
    value, error = result.sampled_expectation("Z0 - 2 Z1 + 0.5")
    assert abs(value - (math.cos(1.0) + 2 + 0.5)) < 5 * error
    # The standard error of a mean of independent ±1 readings.
    assert error == pytest.approx(math.sqrt((1 - math.cos(1.0) ** 2) / 40000), rel=0.05)
    with pytest.raises(RequestError, match="not diagonal"):
        result.sampled_expectation("X0")
    with pytest.raises(RequestError, match="shots=0"):
        qrealm.run(qrealm.Circuit(1), shots=0, observables="Z0").sampled_expectation("Z0")
    assert qrealm.run(qrealm.Circuit(1), shots=1).sampled_expectation("Z0") == (1.0, 0.0)


def test_metadata_says_how_it_came_about():
    facts = skewed().metadata
    expected = {"backend": "statevector", "precision": "single", "threads": 1, "seed": 2, "shots": 4000}
    assert expected.items() <= facts.items()
    assert facts["state_bytes"] == 32
    assert facts["seconds"] > 0
    assert set(facts["versions"]) == {"qrealm", "numpy", "python"}
    assert facts["plan_digest"] == skewed().metadata["plan_digest"]
    double = qrealm.run(qrealm.Circuit(2).ry(1.0, 0).x(1), shots=1, precision="double").metadata
    assert double["circuit_digest"] == facts["circuit_digest"]
    assert double["plan_digest"] != facts["plan_digest"]


def test_everything_goes_to_json_and_pickle():
    circuit = qrealm.Circuit(1).h(0)
    result = qrealm.run(circuit, shots=9, seed=1, return_statevector=True, observables="X0", amplitudes=["1"])
    record = json.loads(result.to_json())
    assert record["counts"] == result.counts
    assert record["statevector"]["real"] == pytest.approx([math.sqrt(0.5)] * 2)
    assert record["expectation_values"] == pytest.approx({"X0": 1.0})
    assert record["amplitudes"] == {"1": [pytest.approx(math.sqrt(0.5)), 0.0]}
    assert "statevector" not in result.to_dict(state=False)
    twin = pickle.loads(pickle.dumps(result))
    assert twin.metadata == result.metadata
    assert twin.counts == result.counts
    assert repr(twin) == "<Result: 1 qubits, 9 shots, 2 outcomes, state vector, 1 expectation values>"


def test_a_result_cannot_be_changed():
    result = skewed()
    result.counts.clear()
    assert result.counts
    for name in ("counts", "statevector", "shots"):
        with pytest.raises(AttributeError):
            setattr(result, name, None)


def test_a_missing_matplotlib_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError) as caught:
        skewed().plot(tmp_path / "x.png")
    assert caught.value.hint == 'pip install "qrealm[plot]"'


def test_histograms_are_saved(tmp_path):
    pytest.importorskip("matplotlib")
    result = qrealm.run(qrealm.Circuit(7).h(range(7)), shots=2000, seed=1)
    for name in ("a.png", "a.svg", "a.pdf"):
        assert result.plot(tmp_path / name, title="seven coins").stat().st_size > 1000
    assert "others" in (tmp_path / "a.svg").read_text()
    with pytest.raises(RequestError, match="no picture's ending"):
        result.plot(tmp_path / "a.txt")
    with pytest.raises(RequestError, match="cannot be written"):
        result.plot(tmp_path / "nowhere" / "a.png")
    with pytest.raises(RequestError, match="bars_max"):
        result.plot(tmp_path / "a.png", bars_max=0)
    with pytest.raises(RequestError, match="plot"):
        qrealm.run(qrealm.Circuit(1), shots=0, observables="Z0").plot(tmp_path / "a.png")


def test_bit_strings_go_there_and_back():
    layout = BitLayout((("a", 2), ("b", 3)), ())
    assert bits.to_strings([0b01101], layout, "little") == ["011 01"]
    assert bits.to_strings(np.array([0b01101], dtype=np.uint64), layout, "big") == ["10 110"]
    for order in bits.BIT_ORDERS:
        (text,) = bits.to_strings([13], layout, order)
        assert bits.from_string(text, 5, order) == 13
    assert bits.to_strings([0, 0], BitLayout((), ()), "little") == ["", ""]


def test_outcomes_are_gathered_scattered_and_merged():
    values = np.array([0b110, 0b011, 0b110], dtype=np.uint64)
    gathered = bits.gather(values, [2, 0])
    assert gathered.tolist() == [0b01, 0b10, 0b01]
    assert bits.scatter(gathered, [2, 0]) == [0b100, 0b001, 0b100]
    distinct, totals = bits.merge_array(gathered, np.array([1, 2, 3]))
    assert distinct.tolist() == [1, 2]
    assert totals.tolist() == [4, 2]
    keys, sums = bits.merge([2**80, 1, 2**80], [1, 2, 3])
    assert keys == [1, 2**80]
    assert sums.tolist() == [2, 4]


def test_labels_of_histograms():
    assert pictures._share_labels([0.5, 0.0977, 0.4023]) == ["0.500", "0.098", "0.402"]
    assert pictures._share_labels([0.0123, 0.004]) == ["0.0123", "0.0040"]
    assert pictures._share_labels([1.0]) == ["1.00"]
    wide = ["0" * 64, "1" * 64]
    assert pictures._short_labels(wide) == ["0" * 20 + "…" + "0" * 20, "1" * 20 + "…" + "1" * 20]
    alike = ["0" * 64, "0" * 30 + "1" + "0" * 33]
    assert pictures._short_labels(alike) == alike


@pytest.mark.parametrize("qubits", [5, 34, 60])
def test_bars_keep_their_height_above_long_labels(tmp_path, monkeypatch, qubits):
    """The axes of every histogram are at least 2.5 inches high, whatever stands below them."""
    pytest.importorskip("matplotlib")
    seen = []

    def measured(figure, path):
        figure.draw_without_rendering()
        seen.append(figure.axes[0].get_position().height * figure.get_figheight())
        return path

    monkeypatch.setattr(pictures, "save_figure", measured)
    counts = {"0" * qubits: 500, "1" * qubits: 524}
    pictures.save_histogram(counts, tmp_path / "h.png", shots=1024, title="ghz")
    assert seen[0] >= 2.5
