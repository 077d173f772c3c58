"""One real Docker engine: what qrealm asks for is what `docker inspect` shows, whatever happens meanwhile."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from engines.eyes import clean, docker, inspect, running, states, why_no_eyes
from engines.image import IMAGE
from engines.nodes import MIB, WAIT_S, engine_of, request, wait_until
from qrealm.base.errors import (
    CommandNotFoundError,
    CommandNotRunnableError,
    EngineRefusalError,
    ImageError,
    NameTakenError,
    NoRoomError,
    NoSuchContainerError,
    QrealmError,
    RequestError,
)
from qrealm.control.containers import lifecycle
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.reports import CreateRequest
from qrealm.control.containers.values import QuantumSpec, Wanted
from qrealm.fleet.containers.protocol import (
    ContainerSpec,
    ContainerState,
    ExecSpec,
    HealthCheck,
    Limits,
    LogRequest,
    Mount,
    Restart,
)

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

QUICK_HEALTH = HealthCheck(("test", "-f", "/tmp/well"), interval_s=0.2, timeout_s=5.0, retries=2)
WELL_THEN_WAIT = ("sh", "-c", "touch /tmp/well; trap 'exit 0' TERM; sleep 3600 & wait")


def do(engine: ContainerEngine, name: str, *command: str) -> None:
    """Run a command inside; it must succeed."""
    done = engine.lifecycle.execute(name, ExecSpec(command))
    list(done.output())
    assert done.exit_code() == 0


def nothing_of(engine: ContainerEngine, name: str) -> bool:
    """Whether the engine knows nothing of a container."""
    with pytest.raises(NoSuchContainerError):
        engine.views.inspect(name)
    return all(each.record.name != name for each in engine.views.containers())


def test_docker_inspect_shows_what_was_asked_for(engine, url):
    spec = ContainerSpec(
        "web",
        IMAGE,
        command=("sh", "-c", "echo $COLOUR; sleep 3600"),
        environment={"COLOUR": "deep blue"},
        labels={"team": "ops"},
        limits=Limits(cpus=0.75, memory_bytes=48 * MIB, pids=33),
        restart=Restart("on-failure", 4),
        health=HealthCheck(("true",), interval_s=5.0, timeout_s=2.0, retries=7, start_period_s=1.5),
        mounts=(Mount("data", "/var/data"),),
        network="none",
        user="1000:1000",
        working_dir="/tmp",
        read_only=True,
        cap_add=("NET_BIND_SERVICE",),
    )
    made = engine.lifecycle.create(CreateRequest(spec, QuantumSpec(("up", "down", "half"), 1.0, 2.0)))
    told = inspect(url, "web")
    host, config = told["HostConfig"], told["Config"]
    assert told["Id"] == made.container.engine_id
    assert told["State"]["Status"] == "created", "create does not start"
    assert host["NanoCpus"] == 750_000_000
    assert (host["Memory"], host["MemorySwap"]) == (48 * MIB, 48 * MIB)
    assert host["PidsLimit"] == 33
    assert host["CapDrop"] == ["ALL"]
    assert [name.removeprefix("CAP_") for name in host["CapAdd"]] == ["NET_BIND_SERVICE"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Privileged"] is False
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 4}
    assert host["ReadonlyRootfs"] is True
    assert host["NetworkMode"] == "none"
    assert [(each["Type"], each["Name"], each["Destination"]) for each in told["Mounts"]] == [
        ("volume", "data", "/var/data")
    ]
    assert config["Healthcheck"] == {
        "Test": ["CMD", "true"],
        "Interval": 5_000_000_000,
        "Timeout": 2_000_000_000,
        "Retries": 7,
        "StartPeriod": 1_500_000_000,
    }
    assert "COLOUR=deep blue" in config["Env"]
    assert (config["User"], config["WorkingDir"]) == ("1000:1000", "/tmp")
    labels = config["Labels"]
    assert labels["team"] == "ops"
    assert labels["io.qrealm.container"] == made.container.id
    assert labels["io.qrealm.name"] == "web"
    assert "deep blue" not in json.dumps(labels), "labels are shown to everybody: no secrets in them"
    report = engine.lifecycle.run("web")
    assert report.started
    assert inspect(url, "web")["State"]["Status"] == "running"
    wait_until(
        lambda: b"deep blue" in b"".join(piece.data for piece in engine.lifecycle.logs("web", LogRequest()))
    )


def test_a_container_is_hardened_from_the_inside(engine):
    engine.lifecycle.create(request("web"))
    engine.lifecycle.run("web")
    inside = engine.lifecycle.execute("web", ExecSpec(("cat", "/proc/self/status")))
    text = b"".join(piece.data for piece in inside.output()).decode()
    rows = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert int(rows["CapEff"], 16) == 0
    assert int(rows["CapBnd"], 16) == 0
    assert rows["NoNewPrivs"].strip() == "1"


def test_measure_moves_no_container_and_run_does(engine, url):
    engine.lifecycle.create(request("web"))
    assert engine.circuits.measure("web").state == "running"
    assert states(url) == {"web": "created"}
    first = engine.lifecycle.run("web")
    assert (first.started, first.was_running, first.measured.state) == (True, False, "running")
    again = engine.lifecycle.run("web")
    assert (again.started, again.was_running) == (False, True), "safe to repeat"
    assert running(url) == {"web"}
    engine.lifecycle.stop("web")
    told = inspect(url, "web")["State"]
    assert (told["Status"], told["ExitCode"]) == ("exited", 0), "SIGTERM came, and was enough"
    engine.lifecycle.stop("web")
    assert engine.lifecycle.remove("web") == "web"
    assert states(url) == {}


def test_an_outcome_of_stopped_leaves_it_not_started(engine, url):
    engine.lifecycle.create(request("web", probability=0.0))
    report = engine.lifecycle.run("web")
    assert (report.measured.state, report.started, report.stopped) == ("stopped", False, False)
    assert states(url) == {"web": "created"}
    assert inspect(url, "web")["State"]["StartedAt"].startswith("0001-"), "not even for a moment"
    forced = engine.lifecycle.run("web", force=True)
    assert (forced.forced, forced.started, forced.measured.state) == (True, True, "stopped")
    assert running(url) == {"web"}
    stopped = engine.lifecycle.run("web")
    assert (stopped.stopped, stopped.was_running) == (True, True)
    assert states(url) == {"web": "exited"}


def test_the_memory_limit_kills(engine, url):
    # 64 MiB in one buffer of dd, which is filled, against a limit of 16 MiB. The shell outlives it: Docker
    # hears of the kernel's act apart from the container's end, and forgets it when the end comes first; what
    # happens before it listens it misses.
    fill = "dd if=/dev/zero of=/dev/null bs=64M count=1"
    greedy = ("sh", "-c", f"sleep 1; {fill}; code=$?; sleep 1; exit $code")
    engine.lifecycle.create(request("greedy", *greedy, memory_mib=16))
    engine.lifecycle.run("greedy")
    wait_until(lambda: states(url)["greedy"] == "exited")
    told = inspect(url, "greedy")["State"]
    assert (told["OOMKilled"], told["ExitCode"]) == (True, 137)
    facts = engine.views.inspect("greedy").facts
    assert (facts.out_of_memory, facts.exit_code) == (True, 137)
    # The same within its limit lives.
    engine.lifecycle.create(request("modest", *greedy, memory_mib=128))
    engine.lifecycle.run("modest")
    wait_until(lambda: states(url)["modest"] == "exited")
    assert inspect(url, "modest")["State"]["ExitCode"] == 0


def test_the_limit_of_processes_holds(engine):
    spec = ContainerSpec("many", IMAGE, limits=Limits(0.5, 64 * MIB, pids=8), network="none")
    engine.lifecycle.create(CreateRequest(spec, QuantumSpec(probability=1.0)))
    engine.lifecycle.run("many")
    fork = "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; wait"
    done = engine.lifecycle.execute("many", ExecSpec(("sh", "-c", fork)))
    said = b"".join(piece.data for piece in done.output())
    assert b"can't fork" in said
    assert done.exit_code() != 0


def test_one_that_dies_at_once_is_told(engine, url, monkeypatch):
    monkeypatch.setattr(lifecycle, "SETTLE_S", WAIT_S)  # it is over as soon as it has ended
    engine.lifecycle.create(request("dies", "sh", "-c", "echo last words >&2; exit 3"))
    report = engine.lifecycle.run("dies")
    assert report.started
    assert (report.facts.state, report.facts.exit_code) == (ContainerState.EXITED, 3)
    assert [(piece.stream, piece.data) for piece in engine.lifecycle.logs("dies", LogRequest())] == [
        ("stderr", b"last words\n")
    ]
    assert any(event.action == "die" for event in engine.views.events())
    assert engine.upkeep.maintenance().problems == ()
    assert engine.views.inspect("dies").record.wanted is Wanted.STOPPED
    assert states(url) == {"dies": "exited"}, "no restart policy, no second start"


@pytest.mark.parametrize(
    "command, kind",
    [("nosuch", CommandNotFoundError), ("/bin/locked", CommandNotRunnableError)],
)
def test_a_command_that_cannot_be_run(engine, url, command, kind):
    engine.lifecycle.create(request("bad", command))
    with pytest.raises(kind, match=command):
        engine.lifecycle.run("bad")
    view = engine.views.inspect("bad")
    assert (view.record.measured.state, view.record.wanted) == ("running", Wanted.STOPPED)
    assert states(url) == {"bad": "created"}
    assert inspect(url, "bad")["State"]["ExitCode"] == (127 if kind is CommandNotFoundError else 126)
    engine.lifecycle.remove("bad")
    assert states(url) == {}


@pytest.mark.parametrize("command, code", [("nosuch", 127), ("/bin/locked", 126)])
def test_a_command_inside_that_cannot_be_run(engine, command, code):
    engine.lifecycle.create(request("web"))
    engine.lifecycle.run("web")
    try:
        done = engine.lifecycle.execute("web", ExecSpec((command,)))
        list(done.output())
        found = done.exit_code()
    except CommandNotFoundError:
        found = 127
    except CommandNotRunnableError:
        found = 126
    assert found == code


@pytest.mark.parametrize("pull", ["missing", "never"])
def test_an_image_that_is_missing_leaves_nothing(engine, url, pull):
    wanted = request("web", image="registry.invalid/nosuch:1")
    with pytest.raises(ImageError, match="nosuch:1"):
        engine.lifecycle.create(CreateRequest(wanted.spec, wanted.quantum, pull=pull))
    assert nothing_of(engine, "web")
    assert engine.circuits.registers() == ()
    assert states(url) == {}
    engine.lifecycle.create(request("web"))
    assert states(url) == {"web": "created"}, "its name is free again"


def test_a_name_that_a_foreign_container_has(engine, url):
    docker(url, "create", "--name", "web", "--network", "none", IMAGE)
    foreign = inspect(url, "web")["Id"]
    with pytest.raises(NameTakenError, match="web"):
        engine.lifecycle.create(request("web"))
    assert nothing_of(engine, "web")
    assert engine.circuits.registers() == ()
    assert inspect(url, "web")["Id"] == foreign, "it is not ours to remove"
    assert engine.upkeep.maintenance().adopted == ()


def test_a_name_that_is_taken_and_a_full_engine(engine, url, tmp_path):
    engine.lifecycle.create(request("web"))
    with pytest.raises(NameTakenError, match="web"):
        engine.lifecycle.create(request("web"))
    with pytest.raises(NoRoomError, match="wants"):
        engine.lifecycle.create(request("huge", memory_mib=1 << 20))
    assert nothing_of(engine, "huge")
    assert states(url) == {"web": "created"}
    with pytest.raises(RequestError, match="6 MiB"):
        engine.lifecycle.create(request("tiny", memory_mib=1))
    assert states(url) == {"web": "created"}


def test_one_that_runs_is_removed_only_by_force(engine, url):
    engine.lifecycle.create(request("web"))
    engine.lifecycle.run("web")
    with pytest.raises(EngineRefusalError, match="is running"):
        engine.lifecycle.remove("web")
    assert running(url) == {"web"}
    engine.lifecycle.remove("web", force=True)
    assert states(url) == {}
    with pytest.raises(NoSuchContainerError):
        engine.lifecycle.remove("web")


def test_maintenance_restarts_what_is_unhealthy(engine, url):
    engine.lifecycle.create(request("web", *WELL_THEN_WAIT, health=QUICK_HEALTH))
    engine.lifecycle.run("web")
    wait_until(lambda: inspect(url, "web")["State"]["Health"]["Status"] == "healthy")
    assert engine.upkeep.maintenance().restarted == ()
    pid = inspect(url, "web")["State"]["Pid"]
    do(engine, "web", "rm", "/tmp/well")
    wait_until(lambda: inspect(url, "web")["State"]["Health"]["Status"] == "unhealthy")
    assert engine.upkeep.maintenance().restarted == ("web",)
    wait_until(lambda: inspect(url, "web")["State"]["Health"]["Status"] == "healthy")
    assert inspect(url, "web")["State"]["Pid"] != pid
    assert engine.views.inspect("web").record.restarts == 1
    assert engine.upkeep.maintenance().restarted == ()


def test_one_that_was_killed_behind_our_back_shows_as_exited(engine, url):
    engine.lifecycle.create(request("web"))
    engine.lifecycle.run("web")
    docker(url, "kill", "web")
    facts = engine.views.inspect("web").facts
    assert (facts.state, facts.exit_code) == (ContainerState.EXITED, 137)
    assert engine.upkeep.maintenance().problems == ()
    assert engine.views.inspect("web").record.wanted is Wanted.STOPPED
    assert engine.lifecycle.run("web").started
    assert running(url) == {"web"}


@pytest.mark.parametrize("ran", [True, False])
def test_one_that_was_removed_behind_our_back_is_made_again(engine, url, ran):
    engine.lifecycle.create(request("web"))
    engine.lifecycle.create(request("db"))
    if ran:
        engine.lifecycle.run("web")
    engine.circuits.entangle("web", "db", "same")
    old = inspect(url, "web")
    docker(url, "rm", "-f", "web")
    assert engine.views.inspect("web").facts is None
    assert engine.upkeep.maintenance().made_again == ("web",)
    new = inspect(url, "web")
    assert new["Id"] != old["Id"]
    assert new["State"]["Status"] == ("running" if ran else "created")
    assert new["HostConfig"]["Memory"] == old["HostConfig"]["Memory"]
    seals = {each["Config"]["Labels"].pop("io.qrealm.sealed") for each in (new, old)}
    assert len(seals) == 2, "each seal is made anew"
    assert new["Config"]["Labels"] == old["Config"]["Labels"]
    assert engine.views.inspect("web").group == ("web", "db"), "its register was not lost with it"
    assert engine.upkeep.maintenance().made_again == ()


def test_closed_and_opened_again_everything_is_there(url, tmp_path):
    home = tmp_path / "home"
    try:
        with engine_of({"one": url}, home) as engine:
            engine.lifecycle.create(request("web"))
            engine.lifecycle.create(request("db", probability=0.25))
            engine.circuits.entangle("web", "db", "opposite")
            engine.lifecycle.run("web", force=True)
            before = {view.record.name: view for view in engine.views.containers()}
        assert "web" in running(url), "containers go on without us"
        docker(url, "kill", "web")
        with engine_of({"one": url}, home) as engine:
            after = {view.record.name: view for view in engine.views.containers()}
            assert after.keys() == before.keys()
            assert all(after[name].record.id == view.record.id for name, view in before.items())
            assert after["db"].probabilities == pytest.approx(before["db"].probabilities, abs=0.01)
            assert after["web"].facts.exit_code == 137, "what happened meanwhile is seen"
            for name in after:
                engine.lifecycle.remove(name, force=True)
        assert states(url) == {}
    finally:
        clean([url])


CLUSTER = """
name: shop
containers:
  - {name: web, image: "qrealm-test:1", network: none, quantum_probability: 1.0,
     resource_requirements: {cpu: 0.5, memory: 32}}
  - {name: db, image: "qrealm-test:1", network: none, quantum_probability: 1.0,
     resource_requirements: {cpu: 0.5, memory: 32}}
  - {name: cache, image: "%s", network: none, quantum_probability: 1.0,
     resource_requirements: {cpu: 0.5, memory: 32}}
entangle:
  - {between: [web, db], mode: same}
"""


def test_a_cluster_is_made_whole_and_the_file_can_be_given_again(engine, url):
    report = engine.clusters.create(CLUSTER % IMAGE, "shop.yaml")
    assert [made.container.name for made in report.created] == ["web", "db", "cache"]
    assert states(url) == dict.fromkeys(["web", "db", "cache"], "created")
    assert inspect(url, "db")["HostConfig"]["NanoCpus"] == 500_000_000
    assert engine.views.inspect("web").group == ("web", "db")
    again = engine.clusters.create(CLUSTER % IMAGE, "shop.yaml")
    assert again.created == ()
    assert again.existing == ("web", "db", "cache")
    docker_ids = {inspect(url, name)["Id"] for name in ("web", "db", "cache")}
    assert docker_ids == {made.container.engine_id for made in report.created}
    assert set(engine.clusters.remove("shop")) == {"web", "db", "cache"}
    assert states(url) == {}


def test_a_cluster_that_fails_leaves_nothing(engine, url):
    with pytest.raises(QrealmError, match=r"'shop' was not made.*nosuch") as caught:
        engine.clusters.create(CLUSTER % "registry.invalid/nosuch:1", "shop.yaml")
    assert isinstance(caught.value, ImageError)
    assert states(url) == {}
    assert engine.views.containers() == ()
    assert engine.circuits.registers() == ()


def test_a_cluster_that_fails_keeps_what_was_there_before(engine, url):
    engine.lifecycle.create(request("mine"))
    docker(url, "create", "--name", "cache", "--network", "none", IMAGE)
    with pytest.raises(NameTakenError, match="cache"):
        engine.clusters.create(CLUSTER % IMAGE, "shop.yaml")
    assert states(url) == {"mine": "created", "cache": "created"}
    assert [view.record.name for view in engine.views.containers()] == ["mine"]


def test_commands_about_many_containers_at_once(engine, url):
    names = [f"c{i}" for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: engine.lifecycle.create(request(name)), names))
        reports = list(pool.map(engine.lifecycle.run, names))
        assert all(report.started for report in reports)
        assert running(url) == set(names)
        list(pool.map(lambda name: engine.lifecycle.remove(name, force=True), names))
    assert states(url) == {}


def test_two_create_commands_with_one_name(engine, url):
    def attempt(_: int) -> str:
        try:
            return str(engine.lifecycle.create(request("web")).container.engine_id)
        except NameTakenError:
            return ""

    with ThreadPoolExecutor(4) as pool:
        found = [engine_id for engine_id in pool.map(attempt, range(4)) if engine_id]
    assert len(found) == 1
    assert inspect(url, "web")["Id"] == found[0]
    assert list(states(url)) == ["web"]
