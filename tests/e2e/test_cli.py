"""The `qrealm` command as a user starts it: a process of its own, real files, real pipes, real signals."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reference.processes import wait_for_memory, work_seconds

QREALM = [sys.executable, "-c", "from qrealm.faces.cli import main; main()"]

BELL = (
    'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n'
)
DICT = {"num_qubits": 2, "gates": [{"type": "X", "qubits": [1]}]}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bell.qasm").write_text(BELL)
    (tmp_path / "one.json").write_text(json.dumps(DICT))
    (tmp_path / "none.json").write_text(json.dumps({"num_qubits": 0, "gates": []}))
    (tmp_path / "bad.qasm").write_text(BELL.replace("cx", "foo"))
    return tmp_path


@pytest.fixture
def qrealm(folder):
    environment = {
        **os.environ,
        "QREALM_CACHE_DIR": str(folder / "cache"),
        "COLUMNS": "100",
        "PYTHONUTF8": "1",
    }

    def run(*words: str, text: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*QREALM, *words], cwd=folder, env={**environment, **variables}, input=text, text=True,
            encoding="utf-8", capture_output=True, timeout=60, check=False,
        )  # fmt: skip

    run.environment = environment
    return run


def test_a_table_of_counts(qrealm):
    done = qrealm("run", "bell.qasm", "--shots", "1000", "--seed", "7")
    assert done.returncode == 0
    assert done.stderr == ""
    head, _, *rows = done.stdout.splitlines()
    assert re.fullmatch(r"bell.qasm: 2 qubits, 1,000 shots in .*, single precision, seed 7", head)
    assert {row.split()[0] for row in rows} == {"00", "11"}
    assert sum(int(row.split()[1]) for row in rows) == 1000
    assert all("█" in row for row in rows)
    assert "\x1b" not in done.stdout


def test_json_and_csv_are_for_machines(qrealm):
    done = qrealm("run", "bell.qasm", "--seed", "7", "--format", "json")
    record = json.loads(done.stdout)
    assert record["file"] == "bell.qasm"
    assert record["metadata"]["seed"] == 7
    table = list(
        csv.DictReader(io.StringIO(qrealm("run", "bell.qasm", "--seed", "7", "--format", "csv").stdout))
    )
    assert {row["outcome"]: int(row["count"]) for row in table} == record["counts"]


def test_stdin_and_bit_order(qrealm):
    done = qrealm("run", "-", "--format", "json", "--shots", "3", text=json.dumps(DICT))
    assert json.loads(done.stdout)["counts"] == {"10": 3}
    done = qrealm("run", "-", "--format", "json", "--shots", "3", "--bit-order", "big", text=json.dumps(DICT))
    assert json.loads(done.stdout)["counts"] == {"01": 3}


def test_states_plots_and_observables(qrealm, folder):
    pytest.importorskip("matplotlib")
    done = qrealm(
        "run", "bell.qasm", "--statevector", "s.npy", "--plot", "p.png", "--observable", "Z0 Z1 + 0.5 X0",
        "--precision", "double", "--threads", "2",
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["saved s.npy", "saved p.png"]
    assert np.load(folder / "s.npy") == pytest.approx([0.5**0.5, 0, 0, 0.5**0.5])
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")
    assert "+1.0000000000" in done.stdout
    only = qrealm("run", "bell.qasm", "--shots", "0", "--observable", "Z0", "--format", "csv")
    assert only.stdout.splitlines()[0] == "observable,value,standard_error"


def test_a_batch_goes_on_after_a_broken_file(qrealm, folder):
    done = qrealm("run", "bell.qasm", "bad.qasm", "one.json", "--format", "json", "--statevector", "s.npy")
    assert done.returncode == 2
    assert [record["file"] for record in json.loads(done.stdout)] == ["bell.qasm", "one.json"]
    assert "bad.qasm, line 6" in done.stderr
    assert "3/3" in done.stderr
    assert {path.name for path in folder.glob("*.npy")} == {"s-bell.npy", "s-one.npy"}
    tables = qrealm("run", "bell.qasm", "one.json")
    assert tables.returncode == 0
    assert tables.stdout.count("seed") == 2
    rows = list(csv.reader(io.StringIO(qrealm("run", "bell.qasm", "one.json", "--format", "csv").stdout)))
    assert rows[0] == ["file", "outcome", "count", "share"]


@pytest.mark.parametrize(
    "words, message",
    [
        (["run", "bad.qasm"], "QR121: bad.qasm, line 6, column 1"),
        (["run", "missing.qasm"], "QR124"),
        (["run", "bell.qasm", "--shots", "-5"], "shots is -5"),
        (["run", "bell.qasm", "--observable", "Q0"], "QR108"),
        (["run", "bell.qasm", "--plot", "x.txt"], "no picture's ending"),
        (["run", "missing.qasm", "--plot", "x.txt"], "no picture's ending"),
        (["run", "missing.qasm", "--statevector", "no/x.npy"], "there is no folder 'no'"),
        (["bench", "--qubits", "0", "--plot", "x.txt"], "no picture's ending"),
        (["run", "none.json"], "QR103"),
        (["estimate", "none.json"], "QR103"),
        (["run", "bell.qasm", "--sampled"], "--sampled needs --observable"),
        (["run", "bell.qasm", "--plot", "x.png", "--shots", "0"], "draws none"),
        (["run", "bell.qasm", "--statevector", "x.bin"], "must be .npy"),
        (["run", "-", "-"], "only once"),
        (["estimate", "bad.qasm"], "QR121"),
        (["draw", "missing.qasm"], "QR124"),
        (["bench", "--qubits", "0"], "at least 1"),
        (["run", "bell.qasm", "--backend", "abacus"], "QR301"),
        (["run", "bell.qasm", "--noise", "missing.json"], "QR124"),
        (["run", "bell.qasm", "--noise", "bell.qasm"], "is not JSON"),
        (["run", "bell.qasm", "--noise", "x.json", "--depolarizing", "0.1"], "were both given"),
        (["run", "bell.qasm", "--depolarizing", "3"], "QR109"),
        (["run", "bell.qasm", "--depolarizing", "0.1", "--backend", "statevector"], "the circuit has noise"),
        (["run", "bell.qasm", "--accuracy", "2"], "accuracy is 2"),
        (["estimate", "bell.qasm", "--backend", "abacus"], "QR301"),
        (["verify", "--backend", "abacus"], "QR301"),
        (["verify", "--qubits", "99"], "4 to 62"),
        (["verify", "missing.qasm"], "QR124"),
    ],
)
def test_a_users_error_is_told_in_words(qrealm, words, message):
    done = qrealm(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", [["run"], ["run", "bell.qasm", "--precision", "half"], ["nothing"], ["run", "x", "--no"]]
)
def test_wrong_usage_exits_with_2(qrealm, words):
    done = qrealm(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_does_not_fit_is_refused_with_advice(qrealm, folder):
    gates = [{"type": "RY", "qubits": [q], "params": [0.3]} for q in range(40)]
    gates += [{"type": "CX", "qubits": [q, q + 1]} for q in range(39)]
    (folder / "huge.json").write_text(json.dumps({"num_qubits": 40, "gates": gates + gates}))
    done = qrealm("run", "huge.json", "--backend", "statevector")
    assert done.returncode == 2
    assert "QR201" in done.stderr
    assert "needs 8,192 GiB of memory" in done.stderr
    assert "these can: mps" in done.stderr
    assert "; or use at most" in done.stderr
    estimate = qrealm("estimate", "huge.json", "--backend", "statevector", "--format", "json")
    assert estimate.returncode == 0
    assert json.loads(estimate.stdout)["fits"] is False


def test_estimate_info_draw_and_version(qrealm):
    estimate = qrealm("estimate", "bell.qasm")
    assert "fits" in estimate.stdout
    assert "GiB of" in estimate.stdout
    info = qrealm("info")
    for words in ("cores", "vector instructions", "memory", "GPUs", "largest circuit", "statevector"):
        assert words in info.stdout
    record = json.loads(qrealm("info", "--format", "json").stdout)
    assert record["backends"][0]["qubits_max"]["single"] > 10
    rows = {row["name"]: row for row in record["backends"]}
    assert rows["mps"]["memory_bound"] is False
    assert rows["gpu"]["missing"] == "torch" or rows["gpu"]["device"]
    assert "q0" in qrealm("draw", "bell.qasm").stdout
    assert qrealm("draw", "bell.qasm", "--ascii").stdout.isascii()
    assert re.fullmatch(r"qrealm \S+\n", qrealm("--version").stdout)


@pytest.mark.parametrize("words", [["run", "bell.qasm"], ["info", "--format", "json"], ["--help"]])
def test_a_full_disk_under_the_output_is_told(words, folder):
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([*QREALM, *words], cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    *_, last = ended.stderr.splitlines()
    assert last == "error: the output cannot be written: No space left on device"
    assert "Traceback" not in ended.stderr


def test_a_run_goes_where_it_is_sent_with_the_noise_it_is_given(qrealm, folder):
    from qrealm.circuits.noise import NoiseModel, ReadoutError, bit_flip

    done = qrealm("run", "bell.qasm", "--backend", "mps", "--seed", "1")
    assert " on mps," in done.stdout
    (folder / "noise.json").write_text(
        json.dumps(NoiseModel().after_gates(bit_flip(1.0), "x").readout(ReadoutError.flips(0, 0)).to_dict())
    )
    flipped = qrealm("run", "one.json", "--noise", "noise.json", "--shots", "9", "--format", "json")
    assert json.loads(flipped.stdout)["counts"] == {"00": 9}
    words = ["--depolarizing", "0.2", "--shots", "4000", "--seed", "4", "--format", "json"]
    record = json.loads(qrealm("run", "bell.qasm", *words).stdout)
    # H leaves a fifth of the state mixed, then CX a fifth of both: 00 and 11 keep (1 + 0.8) / 2 of the shots.
    share = (record["counts"]["00"] + record["counts"]["11"]) / 4000
    assert abs(share - 0.9) < 5 * (0.9 * 0.1 / 4000) ** 0.5  # five standard deviations
    considered = qrealm("estimate", "bell.qasm", "--depolarizing", "0.2").stdout
    assert "chosen" in considered
    assert "it keeps a pure state, and the circuit has noise" in considered
    named = json.loads(qrealm("estimate", "bell.qasm", "--backend", "mps", "--format", "json").stdout)
    assert named["backend"] == "mps"


def test_verify_compares_backends_and_its_exit_code_says_how_it_went(qrealm):
    done = qrealm("verify", "bell.qasm", "--backend", "statevector", "--backend", "mps", "--seed", "1")
    assert done.returncode == 0
    assert "no deviation" in done.stdout
    assert done.stdout.count("amplitudes") == 2
    report = json.loads(
        qrealm(
            "verify", "--backend", "density_matrix", "--qubits", "4", "--seed", "1", "--format", "json"
        ).stdout
    )
    assert report["passed"] is True
    assert {row["circuit"] for row in report["rows"] if row["passed"]} >= {"noise: damping", "clifford"}
    rows = csv.DictReader(
        io.StringIO(qrealm("verify", "one.json", "--backend", "mps", "--format", "csv").stdout)
    )
    assert {row["measure"] for row in rows} == {"amplitudes", "chi-squared"}


def test_verify_of_files_of_ones_own(qrealm, folder):
    done = qrealm("verify", "one.json", "one.json", "--backend", "mps", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["circuit"] for row in rows} == {"one.json", "one.json (2)"}
    assert {row["warnings"] for row in rows} == {""}
    assert done.stderr == "", "no bar where nobody sees it"
    (folder / "open.qasm").write_text(OPEN)
    done = qrealm("verify", "open.qasm")
    assert done.returncode == 2
    assert "the circuit 'open.qasm' with the open parameters ['a']" in done.stderr
    (folder / "turn.json").write_text(
        json.dumps({"num_qubits": 1, "gates": [{"type": "RX", "qubits": [0], "params": [0.3]}]})
    )
    done = qrealm("verify", "turn.json", "--backend", "stabilizer")
    assert done.returncode == 3
    assert "nothing was compared" in done.stdout


def test_verify_exits_with_1_when_a_backend_is_wrong(folder):
    """A state vector that loses a phase on the way: the command in a process of its own."""
    spoilt = (
        "import qrealm.simulate.verify as v; right = v.run\n"
        "v.run = lambda circuit, *a, **k: right(circuit.copy().rz(0.2, 0).rx(0.3, 0), *a, **k)\n"
        "from qrealm.faces.cli import main; main(['verify', 'one.json', '--backend', 'statevector'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", spoilt], cwd=folder, text=True, encoding="utf-8", capture_output=True,
        timeout=60, check=False, env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "2 DEVIATE" in done.stdout
    assert "Traceback" not in done.stderr


OPEN = 'OPENQASM 3.0; include "stdgates.inc"; input float a; qubit[1] q; rx(a) q[0];'


def test_parameters_are_bound(qrealm, folder):
    (folder / "open.qasm").write_text(OPEN)
    done = qrealm(
        "run", "open.qasm", "--parameter", "a=0.3", "--shots", "0", "--observable", "Z0", "--format", "csv"
    )
    assert float(done.stdout.splitlines()[1].split(",")[1]) == pytest.approx(np.cos(0.3), abs=1e-12)
    assert "0.3" in qrealm("draw", "open.qasm", "--parameter", "a=0.3").stdout
    words = ("--parameter", "a=0.3", "--shots", "0", "--observable", "Z0", "--format", "json")
    assert json.loads(qrealm("estimate", "open.qasm", *words).stdout)["precision"] == "double"
    done = qrealm("run", "open.qasm", "--parameter", "b=1")
    assert (done.returncode, "QR104" in done.stderr) == (2, True)


def test_states_of_noisy_runs_are_refused_in_options(qrealm):
    done = qrealm("run", "bell.qasm", "--depolarizing", "0.1", "--statevector", "s.npy")
    assert done.returncode == 2
    assert "--statevector needs a pure state; the noise of --depolarizing or --noise" in done.stderr


@pytest.mark.parametrize("width", ["-5", "10", "39"])
def test_narrow_drawings_are_refused(qrealm, width):
    done = qrealm("draw", "bell.qasm", "--width", width)
    assert done.returncode == 2
    assert f"--width got {width}; the rule is at least 40" in done.stderr


def test_the_package_is_the_command(qrealm, folder):
    done = subprocess.run(
        [sys.executable, "-m", "qrealm", "--version"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("qrealm ")


def test_the_benchmark_takes_several_widths(qrealm, folder):
    pytest.importorskip("matplotlib")
    done = qrealm("bench", "--qubits", "3", "5", "8", "--verbose", "--plot", "b.png")
    assert done.returncode == 0
    assert [row.split()[0] for row in done.stdout.splitlines()] == ["qubits", "3", "5", "8"]
    assert "5 qubits, 140 gates" in done.stderr
    assert (folder / "b.png").stat().st_size > 1000
    rows = json.loads(qrealm("bench", "--qubits", "3", "--layers", "2", "--format", "json").stdout)
    assert [row["qubits"] for row in rows] == [3]
    assert qrealm("bench", "--qubits", "3", "--format", "csv").stdout.startswith("qubits,gates,seconds")


@pytest.mark.parametrize("command", ["", "run", "estimate", "info", "bench", "draw", "verify"])
def test_help_teaches(qrealm, command):
    done = qrealm(*([command] if command else []), "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    if command != "info":
        assert "qrealm run" in done.stdout or f"qrealm {command} " in done.stdout


def test_colour_only_where_it_is_wanted(qrealm):
    assert "\x1b" in qrealm("run", "bad.qasm", FORCE_COLOR="1").stderr
    assert "\x1b[3" not in qrealm("run", "bad.qasm", FORCE_COLOR="1", NO_COLOR="1").stderr


def test_plain_ascii_terminals_get_plain_bars(qrealm, folder):
    done = qrealm("run", "bell.qasm", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "###" in done.stdout
    assert done.stdout.isascii()
    assert qrealm("bench", "--qubits", "2", PYTHONUTF8="0", PYTHONIOENCODING="ascii").stdout.isascii()
    (folder / "Ψ.json").write_text(json.dumps(DICT))
    done = qrealm("run", "Ψ.json", "--format", "json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["file"] == "Ψ.json"


def test_a_reader_that_leaves_is_no_error_message(qrealm, folder):
    many = {"num_qubits": 12, "gates": [{"type": "H", "qubits": [q]} for q in range(12)]}
    (folder / "many.json").write_text(json.dumps(many))
    with subprocess.Popen(
        [*QREALM, "run", "many.json", "--shots", "200000", "--format", "csv"], cwd=folder,
        env=qrealm.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


def test_ctrl_c_ends_a_long_run_within_a_second(qrealm, folder):
    gates = []
    for layer in range(300):  # minutes of work on 26 qubits
        gates += [{"type": "RY", "qubits": [q], "params": [0.1 + layer + q]} for q in range(26)]
        gates += [{"type": "RX", "qubits": [q], "params": [0.2 + layer]} for q in range(26)]
        gates += [{"type": "CX", "qubits": [q, (q + 1 + layer) % 26]} for q in range(26) if (1 + layer) % 26]
    (folder / "long.json").write_text(json.dumps({"num_qubits": 26, "gates": gates}))
    with subprocess.Popen(
        [*QREALM, "run", "long.json"], cwd=folder, env=qrealm.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            wait_for_memory(process.pid, 512 * 1024**2)  # the state is there: the run has begun
            before = sum(os.times()[2:4]) + work_seconds(process.pid)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            after = sum(os.times()[2:4])  # of all children that have ended
        finally:
            process.kill()
    # Each of its threads worked for so long at most.
    assert (after - before) / (os.cpu_count() or 1) < 2.0
    assert process.returncode == 130
    assert out == ""
    assert err == "interrupted\n"


def test_ctrl_c_in_a_batch_prints_what_is_finished(qrealm, folder):
    gates = [{"type": "RY", "qubits": [q], "params": [0.1 + n]} for n in range(300) for q in range(26)]
    gates = [each for q, gate in enumerate(gates) for each in (gate, _cx(q % 26))]
    (folder / "long.json").write_text(json.dumps({"num_qubits": 26, "gates": gates}))
    with subprocess.Popen(
        [*QREALM, "run", "bell.qasm", "long.json", "one.json", "--format", "json"], cwd=folder,
        env=qrealm.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            wait_for_memory(process.pid, 512 * 1024**2)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert [record["file"] for record in json.loads(out)] == ["bell.qasm"]
    assert "interrupted: 1 of 3 files are finished" in err


def _cx(qubit: int) -> dict[str, object]:
    return {"type": "CX", "qubits": [qubit, (qubit + 1) % 26]}


def test_outputs_of_files_with_the_same_stem_are_kept_apart(qrealm, folder):
    for name, gates in (("a", []), ("b", [{"type": "X", "qubits": [0]}])):
        (folder / name).mkdir()
        (folder / name / "same.json").write_text(json.dumps({"num_qubits": 1, "gates": gates}))
    done = qrealm("run", "a/same.json", "b/same.json", "--statevector", "s.npy")
    assert done.returncode == 0
    assert np.load(folder / "s-same.npy") == pytest.approx([1, 0])
    assert np.load(folder / "s-same-2.npy") == pytest.approx([0, 1])


def test_results_are_printed_though_a_file_cannot_be_written(qrealm, folder):
    pytest.importorskip("matplotlib")
    for name in ("s-bell.npy", "p-bell.png"):
        (folder / name).mkdir()
    done = qrealm("run", "bell.qasm", "one.json", "--statevector", "s.npy", "--plot", "p.png")
    assert done.returncode == 2
    assert done.stdout.count("seed") == 2
    assert done.stderr.count("cannot be written") == 2
    assert (folder / "p-one.png").exists()
    assert "Traceback" not in done.stderr


def test_a_missing_matplotlib_is_found_before_the_run(qrealm, folder):
    (folder / "matplotlib.py").write_text("raise ImportError('not here')")
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    done = qrealm("run", "missing.qasm", "--plot", "p.png", PYTHONPATH=path)
    assert done.returncode == 2
    assert "QR400" in done.stderr
    assert "QR124" not in done.stderr, "the circuit was not looked at"


def test_observables_sampled_and_given_twice(qrealm):
    words = ["run", "bell.qasm", "--format", "csv", "--seed", "1"]
    done = qrealm(*words, "--observable", "Z0", "--observable", "Z0", "--observable", "X0 X1", "--sampled")
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["observable"] for row in rows] == ["Z0", "X0 X1"]
    assert float(rows[0]["standard_error"]) > 0


def test_a_file_that_is_no_program_is_told_so_first(qrealm, folder):
    (folder / "plan.py").write_text("import math\nprint(f'{math.pi:.3f}')\n")
    done = qrealm("draw", "plan.py")
    assert done.returncode == 2
    assert re.search(r"plan.py, line \d+, column \d+: no OPENQASM header, no JSON and no QIR", done.stderr)
