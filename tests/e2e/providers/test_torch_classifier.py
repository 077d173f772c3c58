"""The example classifier: it learns, the same way each time, and saves its picture."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "classifier.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("classifier", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["classifier"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["classifier"]


def best_straight_line(example, seed: int, points: int) -> float:
    """The share of test points that least squares on a straight line tells apart."""
    rng = np.random.default_rng(seed)
    data, labels = example.moons(points, rng)
    test_data, test_labels = example.moons(points, rng)
    weights = np.linalg.lstsq(np.c_[data, np.ones(points)], 2 * labels.numpy() - 1, rcond=None)[0]
    found = np.c_[test_data, np.ones(points)] @ weights > 0
    return float(np.mean(found == (test_labels.numpy() > 0.5)))


def test_it_learns_more_than_a_straight_line(example) -> None:
    found = example.train(epochs=12, seed=1, points=200)
    assert found.losses[-1] < 0.4 * found.losses[0]
    assert found.accuracy > best_straight_line(example, 1, 200) + 0.05
    assert found.accuracy >= 0.95


def test_the_same_seed_trains_the_same_model(example) -> None:
    first, second, other = (example.train(epochs=1, seed=seed, points=40) for seed in (2, 2, 3))
    assert first.losses == second.losses
    assert first.losses != other.losses


def test_the_command_saves_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "loss.png"
    command = [sys.executable, str(EXAMPLE), "--epochs", "2", "--points", "40", "--out", str(picture)]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert "test accuracy" in done.stdout
    assert "2/2" in done.stderr
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
