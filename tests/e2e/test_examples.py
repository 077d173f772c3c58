"""The programs in examples/: options do what they say, and what is not installed is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def _run(name, *words, cwd, without=""):
    start = f"import sys; sys.argv = {[name, *words]!r}\n"
    start += f"sys.modules[{without!r}] = None\n" if without else ""
    program = f"{start}import runpy; runpy.run_path({str(EXAMPLES / name)!r}, run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("package", ["torch", "matplotlib"])
def test_the_classifier_names_what_it_lacks(tmp_path, package):
    if package == "matplotlib":
        pytest.importorskip("torch")
    done = _run("classifier.py", cwd=tmp_path, without=package)
    assert done.returncode == 1
    assert done.stderr == f'examples/classifier.py needs {package}: pip install "qrealm[torch,plot]"\n'


def test_the_demo_takes_shots_and_a_seed(tmp_path):
    pytest.importorskip("matplotlib")
    once = _run("demo.py", "--shots", "40", "--seed", "3", cwd=tmp_path)
    assert once.returncode == 0, once.stderr
    assert "100.0%" in once.stdout
    assert "│    40 │" in once.stdout
    assert _run("demo.py", "--nothing", cwd=tmp_path).returncode == 2


def test_the_molecule_leaves_no_file_unasked(tmp_path):
    done = _run("vqe_h2.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lowest energy at 0.7414 angstrom" in done.stdout
    assert list(tmp_path.iterdir()) == []
