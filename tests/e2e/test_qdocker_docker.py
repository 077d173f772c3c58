"""The `qdocker` command before one real Docker engine: exit codes, output, stdin, Ctrl-C, and what `docker
inspect` shows meanwhile."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from engines import qdocker_daemon as daemon
from engines.eyes import clean, docker, inspect, running, why_no_eyes
from engines.image import IMAGE
from engines.qdocker_daemon import QDOCKER, daemon_on, environment_of, own_folder

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

Done = subprocess.CompletedProcess[bytes]
Run = Callable[..., Done]


@pytest.fixture
def environment(url: str) -> Iterator[dict[str, str]]:
    with daemon_on(url) as variables:
        yield variables
    clean([url])


@pytest.fixture
def qdocker(environment: dict[str, str]) -> Run:
    def run(*words: str, given: bytes = b"") -> Done:
        return subprocess.run(
            [*QDOCKER, *words], env=environment, input=given, capture_output=True, timeout=90, check=False
        )

    return run


def create(qdocker: Run, name: str, *command: str, options: tuple[str, ...] = ()) -> None:
    done = qdocker(
        "create", "--network", "none", "--quantum-probability", "1", *options, IMAGE, name, *command
    )
    assert done.returncode == 0, done.stderr


def engine_name(qdocker: Run, name: str) -> str:
    """The engine's id, for Docker's own command."""
    return json.loads(qdocker("inspect", name).stdout)[0]["EngineId"]


def test_run_starts_a_real_container_and_the_daemon_may_go(qdocker, url):
    create(qdocker, "web", options=("--cpu", "0.5", "--memory", "64", "-e", "A=1", "--pids-limit", "50"))
    identity = engine_name(qdocker, "web")
    assert qdocker("run", "web").returncode == 0
    seen = inspect(url, identity)
    assert seen["State"]["Running"]
    assert seen["HostConfig"]["NanoCpus"] == 500_000_000
    assert seen["HostConfig"]["Memory"] == 64 << 20
    assert seen["HostConfig"]["PidsLimit"] == 50
    assert "A=1" in seen["Config"]["Env"]
    assert qdocker("stop").returncode == 0
    assert len(running(url)) == 1, "the end of the daemon stops nothing"
    assert qdocker("start").returncode == 0
    assert b"Up " in qdocker("ps", "--filter", "name=web").stdout
    assert b"simulated" not in qdocker("ps").stdout
    assert qdocker("rm", "web").returncode == 1, "it runs"
    assert qdocker("rm", "--force", "web").stdout == b"web\n"
    assert running(url) == set()


def run_of_one_that_ends(qdocker, name, script):
    """The name of a container that ends at once, and what `run` said. It looks for less than a second, in
    which a busy machine may not bring one to its end: five have a try."""
    for number in range(5):
        create(qdocker, f"{name}-{number}", "sh", "-c", script)
        if (done := qdocker("run", f"{name}-{number}")).returncode != 0:
            break
    return f"{name}-{number}", done


def test_exit_codes_of_run_are_dockers(qdocker):
    create(qdocker, "nowhere", "/nope")
    create(qdocker, "locked", "/bin/locked")
    name, dies = run_of_one_that_ends(qdocker, "dies", "echo bye >&2; exit 3")
    assert dies.returncode == 3
    assert b"ended at once with code 3" in dies.stderr
    logs = qdocker("logs", name)
    assert (logs.stdout, logs.stderr, logs.returncode) == (b"", b"bye\n", 0)
    _, killed = run_of_one_that_ends(qdocker, "killed", "exit 137")
    assert killed.returncode == 137
    assert b"code 137, which is signal 9" in killed.stderr
    assert b"want of memory: see --memory" in killed.stderr
    assert qdocker("run", "nowhere").returncode == 127
    locked = qdocker("run", "locked")
    assert locked.returncode == 126
    assert b"locked was measured running (probability 1)" in locked.stderr
    missing = qdocker("create", "--pull", "never", "nosuch:1", "missing")
    assert missing.returncode == 125
    assert b"QR503" in missing.stderr
    assert b"Exited (3)" in qdocker("ps", "-a", "--filter", "status=exited").stdout


def test_exec(qdocker):
    create(qdocker, "web")
    assert qdocker("exec", "web", "true").returncode == 125, "it does not run"
    assert qdocker("run", "web").returncode == 0
    done = qdocker("exec", "web", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)
    assert qdocker("exec", "web", "/nope").returncode == 127
    assert qdocker("exec", "web", "/bin/locked").returncode == 126
    given = bytes(range(256)) * 1000
    words = ["exec", "-i", "-e", "B=2", "-w", "/tmp", "web", "sh", "-c", "cat; echo $B; pwd"]
    done = qdocker(*words, given=given)
    assert done.stdout == given + b"2\n/tmp\n"


def test_following_logs_ends_by_ctrl_c_and_with_the_container(qdocker, environment):
    create(qdocker, "web")
    assert qdocker("run", "web").returncode == 0

    def follow() -> subprocess.Popen[bytes]:
        follower = subprocess.Popen([*QDOCKER, "logs", "-f", "web"], env=environment, stdout=-1, stderr=-1)
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"ready\n"
        return follower

    with follow() as follower:
        follower.send_signal(signal.SIGINT)
        assert follower.wait(timeout=60) == 130
    with follow() as follower:
        assert qdocker("stop-container", "-t", "2", "web").stdout == b"web\n"
        assert follower.wait(timeout=60) == 0
    assert qdocker("logs", "--tail", "1", "web").stdout == b"ready\n"
    assert qdocker("logs", "--since", "1h", "-t", "web").stdout.endswith(b"Z ready\n")


def test_what_somebody_removed_by_hand_is_missing(qdocker, url):
    create(qdocker, "web")
    docker(url, "rm", "-f", engine_name(qdocker, "web"))
    assert qdocker("ps", "-a", "--format", "{{.Names}} {{.Status}}").stdout == b"web Missing\n"
    assert qdocker("exec", "-i", "web", "true").returncode == 125
    assert qdocker("maintenance").returncode == 0
    assert qdocker("ps", "-a", "--format", "{{.Names}} {{.Status}}").stdout == b"web Created\n"


def test_a_node_that_does_not_answer_is_named_at_the_start(tmp_path):
    config = tmp_path / "gone.yaml"
    config.write_text(f"nodes:\n  - {{name: gone, driver: docker, url: 'unix://{tmp_path}/no.sock'}}\n")

    with own_folder() as folder:
        run = partial(daemon.qdocker, environment_of(folder / "h"))
        try:
            started = run("start", "--config", str(config))
            assert started.returncode == 0, started.stderr
            assert "warning: node gone is lost: " in started.stderr
            assert "the engine does not answer" in started.stderr
            assert "simulated" not in started.stderr
            assert "Lost" in run("nodes", "ls").stdout
            refused = run("create", "--node", "gone", IMAGE, "web")
            assert refused.returncode == 125
            assert "gone" in refused.stderr
        finally:
            run("stop")


def test_a_state_is_taken_over_only_when_asked_to(qdocker, url, tmp_path):
    create(qdocker, "web")
    assert qdocker("run", "web").returncode == 0
    before = docker(url, "ps", "-q", "--no-trunc")
    state = str(tmp_path / "state.json")
    assert qdocker("export-state", "-f", state).returncode == 0
    assert qdocker("stop").returncode == 0
    with daemon_on(url) as other:
        second = partial(daemon.qdocker, other)
        refused = second("import-state", "-f", state)
        assert refused.returncode == 1
        assert "web" in refused.stderr
        assert "take" in refused.stderr
        assert docker(url, "ps", "-q", "--no-trunc") == before, "what is another daemon's is left alone"
        taken = second("import-state", "-f", state, "--take-over")
        assert taken.returncode == 0, taken.stderr
        assert re.search(r"^taken over +web$", taken.stdout, re.MULTILINE)
        after = docker(url, "ps", "-q", "--no-trunc")
        assert len(after.split()) == 1
        assert after != before
