"""What the `qdocker` command says: refusals, outputs that take nothing, filters, what is missing or
stays."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys

import pytest

from engines.qdocker_daemon import QDOCKER
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import Endpoint

Done = subprocess.CompletedProcess[str]


def states_of(qdocker, name: str) -> dict[str, float]:
    found: dict[str, float] = json.loads(qdocker("inspect", name).stdout)[0]["Quantum"]["Probabilities"]
    return found


def test_maintenance_renews_only_when_it_is_asked_to(qdocker):
    qdocker("create", "--quantum-probability", "0.25", "busybox", "web")
    assert qdocker("apply-gate", "web", "X").returncode == 0
    assert states_of(qdocker, "web")["running"] == pytest.approx(0.75, abs=1e-3)
    assert qdocker("maintenance").returncode == 0
    assert states_of(qdocker, "web")["running"] == pytest.approx(0.75, abs=1e-3)
    renewed = qdocker("maintenance", "--renew")
    assert re.search(r"prepared again +web", renewed.stdout)
    assert states_of(qdocker, "web")["running"] == pytest.approx(0.25, abs=1e-3)


REFUSED = [
    (["create", "--quantum-probability", "nan", "busybox", "bad"], 125, "probability got nan"),
    (["create", "--cpu", "inf", "busybox", "bad"], 125, "cpus got inf"),
    (["create", "--health-retries", "2", "busybox", "bad"], 125, "--health-cmd"),
    (["create", b"busy\xff", "bad"], 125, "is not UTF-8"),
    (["apply-gate", "web", "RX", "--angle", "nan"], 1, "--angle got 'nan'; the rule is a finite number"),
    (["apply-gate", "web", "X", "--qubit", "7"], 1, "container 'web' has qubits 0 to 0"),
    (["apply-gate", "web", "WARP"], 1, "hint: there are ID, X, Y, Z, H"),
    (["send-message", "web", "web", "t", "--data", "NaN"], 1, "NaN is no value of JSON"),
    (["send-message", "web", "web", "t", "--data", "[1e999]"], 1, "data got inf"),
    (["stop-container", "--time", "nan", "web"], 1, "got nan"),
    (["stop", "--timeout", "-1"], 1, "--timeout got -1"),
    (["stop", "--timeout", "nan"], 1, "--timeout got nan"),
    (["nodes", "add", "x", "--driver", "banana"], 1, "there are docker, podman, swarm, simulated"),
    (["import-state", "-f", "nofile"], 1, "'nofile', which cannot be read: No such file or directory"),
]


def test_what_cannot_be_is_refused_in_words(qdocker):
    assert qdocker("create", "busybox", "web").returncode == 0
    for words, code, told in REFUSED:
        done = qdocker(*words)
        assert done.returncode == code, words
        assert told in done.stderr, words
        assert "Traceback" not in done.stderr, words
        assert done.stderr.count("error:") == 1, words
        assert "not JSON" not in done.stderr or "NaN" in told, words


def test_an_output_that_takes_nothing(qdocker, environment):
    def shell(line: str) -> Done:
        return subprocess.run(
            ["bash", "-c", line.replace("qdocker", " ".join(QDOCKER))], env=environment,
            text=True, capture_output=True, timeout=60, check=False,
        )  # fmt: skip

    qdocker("create", "busybox", "web")
    for line, code, why in (
        ("qdocker ps -a > /dev/full", 1, "No space left on device"),
        ("qdocker inspect web > /dev/full", 1, "No space left on device"),
        ("qdocker --help > /dev/full", 1, "No space left on device"),
        ("qdocker create busybox full > /dev/full", 125, "No space left on device"),
        ("qdocker ps -a >&-", 1, "Bad file descriptor"),
        ("qdocker create busybox shut >&-", 125, "Bad file descriptor"),
    ):
        done = shell(line)
        assert (done.returncode, done.stderr.splitlines()) == (
            code,
            [f"error: the output cannot be written: {why}"],
        ), line
    assert shell("qdocker ps -aq 2>&- <&-").stdout.count("\n") == 3
    assert shell("qdocker measure nobody 2>&-").returncode == 1


def test_a_start_without_streams(bare, environment, home):
    line = f"{' '.join(QDOCKER)} start <&- 2>&-"
    done = subprocess.run(
        ["bash", "-c", line], env=environment, text=True, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"process {(home / 'qdocker.pid').read_text().strip()}" in done.stdout


def test_ctrl_c_while_the_command_is_still_loading(environment):
    program = """
import sys
class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "qrealm.faces.qdocker.app":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupts())
from qrealm.faces.qdocker import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"interrupted\n")


def test_a_folder_is_no_configuration(bare, tmp_path):
    done = bare("start", "--config", str(tmp_path))
    assert done.returncode == 1
    assert "which is a folder" in done.stderr


def test_what_its_engine_has_no_more_is_missing_and_not_unknown(qdocker):
    qdocker("create", "busybox", "web")
    state = json.loads(qdocker("export-state").stdout)
    (record,) = state["containers"]
    (endpoint,) = [node["endpoint"] for node in state["nodes"] if node["name"] == record["node"]]
    connect(Endpoint(**endpoint)).remove(record["engine_id"], force=True)
    listed = qdocker("ps", "-a", "--format", "{{.State}}: {{.Status}}").stdout
    assert listed == "missing: Missing (simulated)\n"
    assert "hint: qdocker maintenance" in qdocker("ps", "-a").stderr
    assert json.loads(qdocker("inspect", "web").stdout)[0]["State"]["Status"] == "missing"
    assert qdocker("ps", "-q", "--filter", "status=missing").stdout != ""
    assert re.search(r"made again +web", qdocker("maintenance").stdout)
    assert "Missing" not in qdocker("ps", "-a").stdout


def test_a_drain_that_leaves_something_behind_says_what_and_why(qdocker):
    qdocker("create", "--node", "one", "-v", "data:/data", "busybox", "keeper")
    qdocker("create", "--node", "one", "busybox", "mover")
    done = qdocker("nodes", "drain", "one")
    assert done.returncode == 1
    assert re.search(r"^mover +one +two +yes", done.stdout, re.MULTILINE)
    assert re.search(r"^warning: keeper stays: \S", done.stderr, re.MULTILINE)
    qdocker("rm", "keeper")
    assert qdocker("nodes", "drain", "one").returncode == 0


def test_times_of_nodes_are_exact_for_programs(qdocker):
    for line in qdocker("nodes", "ls", "--format", "json").stdout.splitlines():
        seen = datetime.datetime.fromisoformat(json.loads(line)["Seen"])
        assert abs((datetime.datetime.now(datetime.UTC) - seen).total_seconds()) < 60
