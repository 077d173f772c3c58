"""The `qdocker` command as a user starts it, with its daemon, on simulated nodes: real processes, a real
socket, real signals. What needs a container engine is tested elsewhere."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engines.nodes import WAIT_S, wait_until
from engines.qdocker_daemon import QDOCKER
from qrealm.faces.qdocker.home import Home
from qrealm.faces.qdocker.launch import end

Done = subprocess.CompletedProcess[str]
TIME_OVER = "graceful shutdown exceeded"
"""Logged when somebody who follows something had to be cut off."""


def daemon_pid(home: Path) -> int:
    return int((home / "qdocker.pid").read_text())


def test_without_a_daemon_every_command_says_how_to_start_one(bare):
    for words in (["status"], ["ps"], ["measure", "web"]):
        done = bare(*words)
        assert done.returncode == 1
        assert "no daemon runs" in done.stderr
        assert "hint: qdocker start" in done.stderr
    assert bare("create", "busybox", "web").returncode == 125
    assert bare("stop").returncode == 0
    assert json.loads(bare("status", "--format", "json").stdout)["running"] is False


def test_start_status_stop(qdocker, home):
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "qdocker.sock").stat().st_mode & 0o777 == 0o600
    status = qdocker("status")
    assert status.returncode == 0
    assert re.search(r"^nodes +2, 2 ready, 0 lost, 2 simulated$", status.stdout, re.MULTILINE)
    told = json.loads(qdocker("status", "--format", "json").stdout)
    assert told["running"] is True
    assert told["resources"]["quantum_coherence"]["sum_bits"] == 0.0
    pid = daemon_pid(home)
    second = qdocker("start")
    assert second.returncode == 0
    assert f"runs already as process {pid}\n" in second.stdout
    assert qdocker("ps").returncode == 0, "a second start disturbs nothing"
    stopped = qdocker("stop")
    assert str(pid) in stopped.stdout
    assert "containers go on" in stopped.stdout
    assert not (home / "qdocker.sock").exists()
    assert qdocker("status").returncode == 1


def test_of_two_starts_at_once_both_find_one_daemon(bare, environment):
    both = [
        subprocess.Popen([*QDOCKER, "start"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert bare("status").returncode == 0


def test_a_killed_daemon_loses_nothing_and_the_next_takes_over_what_it_left(qdocker, home):
    created = qdocker("create", "--states", "a,b,c", "busybox", "web").stdout
    os.kill(daemon_pid(home), signal.SIGKILL)
    wait_until(lambda: qdocker("ps").returncode != 0)
    done = qdocker("ps")
    assert "hint: qdocker start" in done.stderr
    assert (home / "qdocker.sock").exists(), "a socket that nobody answers on is left"
    assert qdocker("start").returncode == 0
    assert qdocker("ps", "-aq", "--no-trunc").stdout == created
    # The configuration was kept too.
    assert "two" in qdocker("nodes", "ls", "-q").stdout.split()


def test_a_start_that_fails_says_why(bare, tmp_path, home):
    (tmp_path / "bad.yaml").write_text("quantum_docker_config:\n  num_qubitz: 3\n")
    done = bare("start", "--config", "bad.yaml")
    assert done.returncode == 1
    assert "bad.yaml:2" in done.stderr
    assert "num_qubits" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (home / "config.yaml").exists(), "only a good configuration is kept"
    assert bare("start", "--config", "missing.yaml").returncode == 1
    long = bare("start", QUANTUM_DOCKER_HOME="/tmp/" + "x" * 120)
    assert long.returncode == 1
    assert "107" in long.stderr


def test_in_the_foreground_ctrl_c_ends_it_cleanly(bare, environment, home):
    process = subprocess.Popen(
        [*QDOCKER, "start", "--foreground"], env=environment, stderr=subprocess.PIPE, text=True
    )

    def answers() -> bool:
        assert process.poll() is None
        return bool(bare("status").returncode == 0)

    wait_until(answers)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, log
    assert "answers on" in log
    assert "Traceback" not in log
    assert not (home / "qdocker.sock").exists()


def test_debugging_is_told_on_both_sides(bare, home):
    assert bare("start", QUANTUM_DOCKER_DEBUG="1").returncode == 0
    done = bare("inspect", "nope", QUANTUM_DOCKER_DEBUG="1")
    assert "debug: GET /v1/containers/nope" in done.stderr
    assert "Traceback" in done.stderr
    asked = re.compile(r"GET /v1/containers/nope 404 [\d.]+ ms")
    wait_until(lambda: asked.search((home / "qdocker.log").read_text()))
    assert "debug" not in bare("ps").stderr


def test_create_list_inspect_remove(qdocker):
    options = ["--quantum-probability", "0.2", "-l", "tier=web", "-p", "8080:80"]
    done = qdocker("create", *options, "nginx:1.27", "web", "sh", "-c", "sleep 5")
    assert done.returncode == 0
    (identity,) = done.stdout.split()
    assert re.fullmatch(r"[0-9a-f]{64}", identity)
    assert qdocker("ps", "-q").stdout == ""
    table = qdocker("ps", "-a").stdout.splitlines()
    assert re.split(r" {3,}", table[0]) == [
        "CONTAINER ID", "IMAGE", "NODE", "STATUS", "QUANTUM", "GROUP", "PORTS", "NAMES"
    ]  # fmt: skip
    assert "Created (simulated)" in table[1]
    assert "running 20% stopped 80%" in table[1]
    row = json.loads(qdocker("ps", "-a", "--format", "json").stdout)
    assert row["ID"] == identity[:12]
    assert row["State"] == "created"
    assert row["Labels"] == "tier=web"
    assert row["QuantumProbability"] == "0.2"
    assert qdocker("ps", "-aq", "--filter", "label=tier=db").stdout == ""
    assert qdocker("ps", "-a", "--format", "{{.Names}} {{.Image}}").stdout == "web nginx:1.27\n"
    found = qdocker("inspect", identity[:8], "nope")
    assert found.returncode == 1
    (document,) = json.loads(found.stdout)
    assert document["Id"] == identity
    assert document["Config"]["Cmd"] == ["sh", "-c", "sleep 5"]
    assert "nope" in found.stderr
    removed = qdocker("rm", "web", "nope")
    assert (removed.stdout, removed.returncode) == ("web\n", 1)
    assert qdocker("ps", "-aq").stdout == ""


def test_run_starts_what_is_found_in_its_first_state_and_stops_what_is_not(qdocker):
    assert qdocker("create", "--quantum-probability", "1", "busybox", "sure").returncode == 0
    assert qdocker("create", "--quantum-probability", "0", "busybox", "never").returncode == 0
    done = qdocker("run", "sure")
    assert done.returncode == 0
    assert done.stdout == "sure: measured running (probability 1), started (simulated: nothing really runs)\n"
    assert "not started" in qdocker("run", "never").stdout
    assert qdocker("ps", "--format", "{{.Names}}").stdout == "sure\n"
    forced = json.loads(qdocker("run", "--force", "never", "--format", "json").stdout)
    assert forced["forced"]
    assert forced["started"]
    assert forced["measured"]["state"] == "stopped"
    assert qdocker("stop-container", "sure", "never").stdout == "sure\nnever\n"
    assert qdocker("ps", "-q").stdout == ""


def test_entangled_containers_are_measured_together(qdocker):
    for name in ("web", "cache"):
        assert qdocker("create", "--quantum-probability", "0.5", "busybox", name).returncode == 0
    told = qdocker("entangle", "web", "cache", "--mode", "opposite").stdout
    assert "running,stopped" in told
    assert "running,running" not in told
    outcomes = json.loads(qdocker("measure", "web", "--format", "json").stdout)["outcomes"]
    assert sorted(outcomes.values()) == ["running", "stopped"]
    # Nothing has decayed to speak of: T2 is an hour. Measured again, it is the same.
    assert qdocker("measure", "-q", "cache").stdout.strip() == outcomes["cache"]
    gate = json.loads(qdocker("apply-gate", "web", "RY", "--angle", "1.5707963", "--format", "json").stdout)
    assert gate["probabilities"]["web"]["running"] == pytest.approx(0.5, abs=1e-3)


def test_why_and_balancing(qdocker):
    for number in range(3):
        assert qdocker("create", "--node", "one", "busybox", f"c{number}").returncode == 0
    told = qdocker("why", "c0").stdout
    assert "CANDIDATE" in told
    plan = json.loads(qdocker("load-balance", "c0", "c1", "c2", "--dry-run", "--format", "json").stdout)
    assert plan["dry_run"]
    assert plan["moves"]
    assert {row.split()[0] for row in qdocker("ps", "-a", "--format", "{{.Node}}").stdout.splitlines()} == {
        "one"
    }
    assert qdocker("load-balance", "c0", "c1", "c2").returncode == 0
    assert set(qdocker("ps", "-a", "--format", "{{.Node}}").stdout.split()) == {"one", "two"}
    assert "portfolio" in qdocker("schedulers").stdout
    assert qdocker("nodes", "drain", "two").returncode == 0
    assert set(qdocker("ps", "-a", "--format", "{{.Node}}").stdout.split()) == {"one"}
    assert qdocker("nodes", "activate", "two").stdout == "two\n"


def test_messages(qdocker):
    for name in ("web", "cache"):
        assert qdocker("create", "busybox", name).returncode == 0
    assert qdocker("entangle", "web", "cache").returncode == 0
    assert qdocker("send-message", "web", "cache", "purge", "--data", "{").returncode == 1
    sent = qdocker("send-message", "web", "cache", "purge", "--data", '{"path": "/é"}')
    assert sent.returncode == 0, sent.stderr
    assert sent.stderr.count("%") == 2, "the error rate, and what the link's noise explains"
    assert "bits differ" in sent.stderr
    read = json.loads(qdocker("messages", "cache", "--format", "json").stdout)
    assert read["id"] == sent.stdout.strip()
    assert read["data"] == {"path": "/é"}
    assert qdocker("messages", "cache", "--unread", "--format", "json").stdout == ""
    again = qdocker("send-message", "web", "cache", "purge", "--format", "json").stdout
    assert len(again) < 1000, "no kilobytes of what is sealed"
    assert json.loads(again)["message"]["key_bits"] >= 128


def test_exported_state_is_imported_again(qdocker, tmp_path):
    assert qdocker("create", "--quantum-probability", "0.2", "busybox", "web").returncode == 0
    assert qdocker("export-state", "--filename", "state.json").returncode == 0
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
    assert qdocker("import-state", "--filename", "state.json").returncode == 1, "its names are taken"
    assert qdocker("rm", "web").returncode == 0
    done = qdocker("import-state", "--filename", "state.json")
    assert done.returncode == 0, done.stderr
    assert qdocker("ps", "-a", "--format", "{{.Names}} {{.QuantumProbability}}").stdout == "web 0.2\n"
    assert qdocker("import-state", "--filename", "-", text="{]").returncode == 1


def test_words_that_are_wrong_have_dockers_exit_codes(qdocker):
    for words in (["run"], ["create", "--bogus", "busybox", "x"], ["exec", "x"], ["run", "nope"]):
        assert qdocker(*words).returncode == 125, words
    for words in (["ps", "--bogus"], ["bogus"], ["measure"], ["rm", "nope"], ["ps", "--filter", "x"]):
        assert qdocker(*words).returncode == 1, words
    late = qdocker("create", "busybox", "web", "--cpu", "2")
    assert late.returncode == 125
    assert "before IMAGE" in late.stderr
    assert qdocker("ps", "-aq").stdout == ""


def test_a_reader_that_goes_and_ctrl_c(qdocker, environment):
    shell = f'{sys.executable} -m qrealm.faces.qdocker events --since 1h | head -1; echo "${{PIPESTATUS[0]}}"'
    process = subprocess.Popen(
        ["bash", "-c", shell], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )

    def noticed() -> bool:  # at its next line, that nobody reads
        qdocker("nodes", "drain", "two")
        qdocker("nodes", "activate", "two")
        return process.poll() is not None

    wait_until(noticed)
    assert process.communicate()[0].splitlines()[-1] == "141"
    follower = subprocess.Popen(
        [*QDOCKER, "events", "--since", "1h"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert follower.stdout is not None
    assert follower.stdout.readline()  # it follows: before that Ctrl-C may meet Python's own start
    follower.send_signal(signal.SIGINT)
    assert follower.communicate(timeout=WAIT_S)[1] == "interrupted\n"
    assert follower.returncode == 130


def test_events_are_followed_until_the_daemon_ends(qdocker, environment, home):
    follower = subprocess.Popen(
        [*QDOCKER, "events", "--since", "0", "--format", "json", "--filter", "type=container"],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert follower.stdout is not None
    with follower, follower.stdout:
        assert qdocker("create", "busybox", "web").returncode == 0
        event = json.loads(follower.stdout.readline())
        assert (event["action"], event["name"]) == ("create", "web")
        end(Home(home), WAIT_S)  # what `qdocker stop` does, without Python's own start
        log = (home / "qdocker.log").read_text()
        assert TIME_OVER not in log, "a follower does not hold up the daemon's end"
        assert follower.wait(timeout=WAIT_S) == 0


def test_help_teaches_with_examples(bare, environment):
    """Every command's own page has an example of it; asked in one process, as there are many."""
    listing = bare("--help").stdout
    names = re.findall(r"^│ ([a-z][a-z-]+) ", listing, re.MULTILINE)
    assert {"start", "create", "run", "entangle", "nodes", "completion"} <= set(names)
    code = """
import sys
from qrealm.faces.qdocker.app import main
for name in sys.argv[1:]:
    print("page of", name)
    try:
        main([*name.split("/"), "--help"])
    except SystemExit as end:
        assert not end.code, name
"""
    words = [
        *(set(names) - {"nodes"}),
        *(f"nodes/{name}" for name in ("add", "ls", "rm", "drain", "activate")),
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True, check=True
    )
    pages = done.stdout.split("page of ")[1:]
    assert len(pages) == len(words)
    for name, page in zip(words, pages, strict=True):
        examples = page.partition("Example")[2]
        assert re.search(rf"qdocker {name.replace('/', ' ')}\b", examples), name


def test_a_listing_loads_nothing_that_is_slow(environment):
    code = "import sys, qrealm.faces.qdocker.app; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "fastapi", "sqlalchemy", "pydantic", "yaml", "uvicorn"} & set(done.stdout.split())
