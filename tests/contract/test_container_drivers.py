"""What every driver for containers promises: this suite runs on real engines, and on the one that has none.

What the driver says it has set is looked up with the engine itself, and from inside the container.
"""

from __future__ import annotations

import http.client
import os
import shutil
import time
import urllib.request
from contextlib import contextmanager
from datetime import datetime

import pytest

from engines.docker_engine import docker_engine, why_no_docker
from engines.image import COMMAND, IMAGE
from engines.network_promises import NetworkPromises, raw
from engines.podman_engine import podman_engine, why_no_podman
from engines.promises import MIB, NAMES, Contract, text_of, wait_for
from engines.stop_promises import StopPromises
from engines.volume_promises import VolumePromises
from qrealm.base.errors import (
    CommandNotFoundError,
    CommandNotRunnableError,
    EngineRefusalError,
    ImageError,
    RequestError,
)
from qrealm.fleet.containers import DRIVERS, connect
from qrealm.fleet.containers.protocol import (
    ContainerSpec,
    ContainerState,
    Endpoint,
    ExecSpec,
    HealthCheck,
    Limits,
    LogRequest,
    Mount,
    Port,
    Restart,
    Tmpfs,
)


@pytest.fixture(scope="class")
def endpoint(request, tmp_path_factory):
    """The engine of the class that is tested."""
    with request.cls.engine(tmp_path_factory) as endpoint:
        yield endpoint


@pytest.fixture(scope="class")
def driver(endpoint):
    driver = connect(endpoint, timeout_s=20.0)
    yield driver
    driver.close()


class RealContract(NetworkPromises, StopPromises, VolumePromises, Contract):
    """What only an engine with processes can show."""

    keeps_output = True
    keeps_fault = True  # why a container could not be started
    exact_memory = True
    tells_out_of_memory = True
    no_new_privileges = True
    network_kind = "bridge"

    why_no_names = None  # why containers of a network do not find each other by name, where they do not

    def container_of(self, driver, client, engine_id):
        """What the engine itself says of the container."""
        return client.inspect_container(engine_id)

    def run(self, driver, engine_id, *command, **fields):
        execution = driver.execute(engine_id, ExecSpec(command, **fields))
        outputs = list(execution.output())
        return text_of(outputs, "stdout"), text_of(outputs, "stderr"), execution.exit_code()

    def test_a_registry_that_does_not_answer(self, driver):
        with pytest.raises(ImageError) as caught:
            driver.pull("127.0.0.1:9/nothing:1")
        assert "docker load" in caught.value.hint

    def test_a_broken_name_of_an_image_reaches_no_engine(self, driver):
        for image in ("../../x", "Nginx", "web:", "a//b", ""):
            for call in (driver.has_image, driver.pull, lambda one: driver.create(ContainerSpec("x1", one))):
                with pytest.raises(RequestError, match="is no name of an image") as caught:
                    call(image)
                assert "nginx:1.27" in caught.value.hint

    def test_limits_and_hardening_are_set(self, driver, endpoint, make):
        limits = Limits(0.5, 64 * MIB, 33)
        engine_id = make(limits=limits, labels={"a": "b"}, cap_add=("CHOWN",), read_only=True)
        driver.start(engine_id)
        with raw(endpoint.url) as client:
            told = self.container_of(driver, client, engine_id)
        host = told["HostConfig"]
        assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (500_000_000, 64 * MIB, 33)
        if self.exact_memory:
            assert host["MemorySwap"] == 64 * MIB
        assert host["ReadonlyRootfs"] is True
        assert not host["Privileged"]
        assert told["Config"]["Labels"]["a"] == "b"
        status, _, code = self.run(driver, engine_id, "cat", "/proc/self/status")
        assert code == 0
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        # Bit 0 is CAP_CHOWN: all others are dropped, for root too.
        assert {int(lines[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {1}
        if self.no_new_privileges:
            assert lines["NoNewPrivs"] == "1"
        _, told_error, code = self.run(driver, engine_id, "touch", "/x")
        assert code == 1
        assert "Read-only file system" in told_error

    def test_all_capabilities_are_dropped(self, driver, make):
        engine_id = make()
        driver.start(engine_id)
        status, _, _ = self.run(driver, engine_id, "cat", "/proc/self/status")
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert {int(lines[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}

    def test_it_says_what_runs(self, driver, make):
        own, asked = make(), make(("/bin/sleep", "600"), entrypoint=("/bin/busybox",))
        for engine_id, entrypoint, command in (
            (own, None, ("sh", "-c", COMMAND)),
            (asked, ("/bin/busybox",), ("/bin/sleep", "600")),
        ):
            driver.start(engine_id)
            facts = driver.inspect(engine_id)
            assert (facts.entrypoint, facts.command) == (entrypoint, command)

    def test_the_limit_on_processes_holds(self, driver, make):
        engine_id = make(limits=Limits(pids=8))
        driver.start(engine_id)
        forks = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo all"
        out, err, _ = self.run(driver, engine_id, "sh", "-c", forks)
        assert "all" not in out
        assert "fork" in err

    def test_the_limit_on_memory_kills(self, driver, make):
        # Docker misses what happens before it listens, and forgets it when the end comes first.
        command = "sleep 1; dd if=/dev/zero of=/dev/null bs=64M count=1; code=$?; sleep 1; exit $code"
        engine_id = make(("sh", "-c", command), limits=Limits(memory_bytes=16 * MIB))
        driver.start(engine_id)
        facts = wait_for(lambda: ended(driver, engine_id))
        assert facts.exit_code == 137
        assert facts.out_of_memory or not self.tells_out_of_memory

    def test_exit_code(self, driver, make):
        engine_id = make(("sh", "-c", "exit 7"))
        driver.start(engine_id)
        facts = wait_for(lambda: ended(driver, engine_id))
        assert (facts.state, facts.exit_code) == (ContainerState.EXITED, 7)
        assert facts.started_at <= facts.finished_at < time.time() + 1.0

    def test_what_cannot_be_started(self, driver, make):
        with pytest.raises(CommandNotFoundError, match="no-such-command"):
            driver.start(make(("no-such-command",)))
        missing = make(("/no/such/command",))
        with pytest.raises(CommandNotFoundError):
            driver.start(missing)
        locked = make(("/bin/locked",), restart=Restart("always"))
        with pytest.raises(CommandNotRunnableError, match="locked"):
            driver.start(locked)
        for engine_id, code, word in ((missing, 127, "/no/such/command"), (locked, 126, "/bin/locked")):
            facts = wait_for(lambda engine_id=engine_id: created(driver, engine_id))
            assert facts.finished_at is None
            if self.keeps_fault:
                assert facts.exit_code == code
                assert word in facts.error

    def test_environment_user_and_folder(self, driver, make):
        script = "echo $COLOUR; id -u; cat /proc/self/cwd/passwd | head -n 1"
        engine_id = make(
            ("sh", "-c", f"{script}; sleep 60"), environment={"COLOUR": "a b"}, user="7:8", working_dir="/etc"
        )
        driver.start(engine_id)
        text = wait_for(lambda: lines_of(driver, engine_id, 3))
        assert text == "a b\n7\nroot:x:0:0::/:/bin/sh\n"

    def test_logs(self, driver, make):
        engine_id = make(("sh", "-c", "echo one; echo two >&2; sleep 2; echo three"))
        begin = time.time()
        driver.start(engine_id)
        followed = list(driver.logs(engine_id, LogRequest(follow=True)))
        assert text_of(followed, "stdout") == "one\nthree\n"
        assert text_of(followed, "stderr") == "two\n"
        assert text_of(driver.logs(engine_id, LogRequest(tail=1))) == "three\n"
        stamped = text_of(driver.logs(engine_id, LogRequest(timestamps=True, tail=1)))
        assert stamped.startswith("20")
        assert stamped.endswith(" three\n")
        between = datetime.fromisoformat(stamped.split()[0]).timestamp() - 1.0
        assert text_of(driver.logs(engine_id, LogRequest(since=between))) == "three\n"
        earlier = list(driver.logs(engine_id, LogRequest(until=between)))
        assert (text_of(earlier, "stdout"), text_of(earlier, "stderr")) == ("one\n", "two\n")
        assert text_of(driver.logs(engine_id, LogRequest(until=begin - 5.0))) == ""

    def test_a_reader_of_logs_may_leave_early(self, driver, make):
        engine_id = make(("sh", "-c", "while true; do echo again; sleep 0.05; done"))
        driver.start(engine_id)
        stream = driver.logs(engine_id, LogRequest(follow=True))
        assert next(stream).data == b"again\n"
        stream.close()
        assert driver.inspect(engine_id).state is ContainerState.RUNNING

    def test_commands_inside(self, driver, make):
        engine_id = make()
        driver.start(engine_id)
        both = "echo out; echo err >&2; exit 3"
        assert self.run(driver, engine_id, "sh", "-c", both) == ("out\n", "err\n", 3)
        told = self.run(driver, engine_id, "sh", "-c", "echo $X; id -u; ls passwd", environment={"X": "y"},
                        user="9", working_dir="/etc")  # fmt: skip
        assert told == ("y\n9\npasswd\n", "", 0)
        for word, code in (("no-such-command", 127), ("/bin/locked", 126)):
            for stdin in (None, b"x"):
                told = self.run(driver, engine_id, word, stdin=stdin)
                assert told[2] == code
                lines = (told[0] + told[1]).splitlines()
                assert len(lines) == 1, "why, and nothing of the engine's own troubles"
                assert word in lines[0]

    def test_input_for_a_command(self, driver, make):
        engine_id = make()
        driver.start(engine_id)
        # More than every buffer on the way holds, in both directions.
        data = bytes(range(256)) * 8192
        execution = driver.execute(engine_id, ExecSpec(("cat",), stdin=data))
        assert b"".join(piece.data for piece in execution.output()) == data
        assert execution.exit_code() == 0
        assert self.run(driver, engine_id, "wc", "-c", stdin=b"")[0].strip() == "0"
        # A command that does not read all of it.
        assert self.run(driver, engine_id, "true", stdin=data)[2] == 0

    def test_no_command_in_what_does_not_run(self, driver, make):
        engine_id = make()
        with pytest.raises(EngineRefusalError):
            driver.execute(engine_id, ExecSpec(("true",)))

    def test_health(self, driver, make):
        # The first check waits until the test lets it go on: until then nothing is thought of it.
        script = "until test -e /tmp/go; do sleep 0.1; done; test -e /tmp/well"
        check = HealthCheck(("sh", "-c", script), interval_s=0.3, timeout_s=100.0, retries=2)
        engine_id = make(health=check)
        driver.start(engine_id)
        assert driver.inspect(engine_id).health == "starting"
        self.run(driver, engine_id, "touch", "/tmp/go")
        wait_for(lambda: driver.inspect(engine_id).health == "unhealthy")
        self.run(driver, engine_id, "touch", "/tmp/well")
        wait_for(lambda: driver.inspect(engine_id).health == "healthy")
        driver.stop(engine_id, 5.0)
        assert driver.inspect(engine_id).health is None

    @pytest.mark.parametrize(
        "command",
        [
            ("test", "a  b", "=", "a  b"),
            ("/bin/sh", "-c", "word='a  b'\nif [ \"$word\" = 'a  b' ]\nthen exit 0; fi\nexit 1"),
            ("sh", "-c", 'test "$(printf \'\\\\x\')" = \'\\x\''),
        ],
        ids=["words", "lines", "quotes"],
    )
    def test_a_health_check_is_kept_as_it_is(self, driver, make, command):
        check = HealthCheck(command, interval_s=0.3, timeout_s=100.0, retries=1)
        engine_id = make(health=check)
        driver.start(engine_id)
        found = wait_for(lambda: driver.inspect(engine_id).health.removeprefix("starting"))
        assert found == "healthy"

    def test_name_of_the_host_and_folders_in_memory(self, driver, make):
        folders = (Tmpfs("/run", 1 * MIB, 0o700), Tmpfs("/var/free"))
        engine_id = make(hostname="desk-7", tmpfs=folders, read_only=True)
        driver.start(engine_id)
        assert self.run(driver, engine_id, "cat", "/proc/sys/kernel/hostname")[0] == "desk-7\n"
        mounted = self.run(driver, engine_id, "cat", "/proc/mounts")[0].splitlines()
        found = {line.split()[1]: line.split() for line in mounted}
        assert found["/run"][2] == found["/var/free"][2] == "tmpfs"
        assert {"size=1024k", "mode=700"} <= set(found["/run"][3].split(","))
        assert self.run(driver, engine_id, "touch", "/var/free/x", "/run/x")[2] == 0
        big = ("dd", "if=/dev/zero", "of=/run/big", "bs=1M", "count=2")
        assert self.run(driver, engine_id, *big)[2] != 0
        driver.stop(engine_id, 5.0)
        driver.start(engine_id)
        assert self.run(driver, engine_id, "ls", "/var/free")[0] == ""

    def test_mounts(self, driver, make, tmp_path):
        (tmp_path / "told").write_text("from outside\n")
        volume = next(NAMES)
        mounts = (Mount(str(tmp_path), "/host", read_only=True), Mount(volume, "/kept"))
        engine_id = make(mounts=mounts)
        driver.start(engine_id)
        assert self.run(driver, engine_id, "cat", "/host/told")[0] == "from outside\n"
        assert self.run(driver, engine_id, "touch", "/host/x")[2] == 1
        assert self.run(driver, engine_id, "touch", "/kept/x")[2] == 0
        driver.remove(engine_id, force=True)
        # A named volume outlives its container.
        again = make(mounts=(Mount(volume, "/kept"),))
        driver.start(again)
        assert self.run(driver, again, "ls", "/kept")[0] == "x\n"

    @pytest.mark.parametrize(
        "restart", [Restart("on-failure", 4), Restart("unless-stopped"), Restart("always"), Restart()]
    )
    def test_restart_policy_is_set(self, driver, endpoint, make, restart):
        engine_id = make(restart=restart)
        with raw(endpoint.url) as client:
            told = client.inspect_container(engine_id)["HostConfig"]["RestartPolicy"]
        assert (told["Name"] or "no", told["MaximumRetryCount"]) == (restart.name, restart.retries_max)

    def test_the_engine_starts_it_again(self, driver, make):
        engine_id = make(("sh", "-c", "echo begun; exit 1"), restart=Restart("on-failure", 2))
        driver.start(engine_id)
        wait_for(lambda: text_of(driver.logs(engine_id, LogRequest())).count("begun") == 3)
        facts = wait_for(lambda: ended(driver, engine_id))
        assert facts.exit_code == 1

    def test_ports(self, driver, make):
        engine_id = make(("httpd", "-f", "-p", "8080", "-h", "/etc"), network=None, ports=(Port(8080),))
        driver.start(engine_id)
        shown = driver.inspect(engine_id).ports[0]
        assert shown.container_port == 8080
        url = f"http://127.0.0.1:{shown.host_port}/passwd"

        def page():
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return answer.read()
            except (OSError, http.client.HTTPException):  # it may answer half while it begins
                return None

        assert wait_for(page) == b"root:x:0:0::/:/bin/sh\n"
        second = make(network=None, ports=(Port(8081, shown.host_port),))
        with pytest.raises(EngineRefusalError, match=str(shown.host_port)):
            driver.start(second)


def ended(driver, engine_id):
    facts = driver.inspect(engine_id)
    return facts if facts.state is ContainerState.EXITED else None


def created(driver, engine_id):
    facts = driver.inspect(engine_id)
    return facts if facts.state is ContainerState.CREATED else None


def lines_of(driver, engine_id, count):
    text = text_of(driver.logs(engine_id, LogRequest()))
    return text if text.count("\n") >= count else None


@pytest.mark.skipif(why_no_docker() is not None, reason=str(why_no_docker()))
class TestDocker(RealContract):
    @staticmethod
    @contextmanager
    def engine(_):
        with docker_engine(bridge=True) as engine:
            yield Endpoint("docker", engine.url)

    def test_more_cores_than_there_are(self, driver, make):
        with pytest.raises(EngineRefusalError, match="CPUs"):
            make(limits=Limits(cpus=10_000.0))

    def test_a_host_folder_that_is_not_there(self, make):
        with pytest.raises(EngineRefusalError, match="/no/such/folder"):
            make(mounts=(Mount("/no/such/folder", "/x"),))


@pytest.mark.skipif(why_no_podman() is not None, reason=str(why_no_podman()))
class TestPodman(RealContract):
    keeps_fault = False
    tells_out_of_memory = False  # Podman 4.3 with control groups of version 1

    why_no_init = None if shutil.which("catatonit") else "podman: catatonit is not found"

    # Podman leaves names to a program of its own, which a distribution may not install with it.
    _places = ("/usr/lib/podman/aardvark-dns", "/usr/libexec/podman/aardvark-dns", "/usr/lib/cni/dnsname")
    why_no_names = None if any(map(os.path.exists, _places)) else "podman: no aardvark-dns, no dnsname"

    @staticmethod
    @contextmanager
    def engine(_):
        with podman_engine() as engine:
            yield Endpoint("podman", engine.url)


@pytest.mark.skipif(why_no_docker() is not None, reason=str(why_no_docker()))
class TestSwarm(RealContract):
    network = None
    network_kind = "overlay"
    keeps_output = False
    keeps_volumes = False  # its nodes remove them with what used them
    exact_memory = False
    no_new_privileges = False  # Docker 25 on the node

    @staticmethod
    @contextmanager
    def engine(_):
        with docker_engine(bridge=True) as engine, raw(engine.url) as client:
            client.init_swarm(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:0")
            yield Endpoint("swarm", engine.url, member=client.info()["Name"])

    def container_of(self, driver, client, engine_id):
        tasks = client.tasks(filters={"service": engine_id})
        return client.inspect_container(tasks[0]["Status"]["ContainerStatus"]["ContainerID"])

    @pytest.mark.parametrize(
        "restart, condition",
        [
            (Restart("on-failure", 4), "on-failure"),
            (Restart("unless-stopped"), "any"),
            (Restart("always"), "any"),
            (Restart(), "none"),
        ],
    )
    def test_restart_policy_is_set(self, driver, endpoint, make, restart, condition):
        engine_id = make(restart=restart)
        with raw(endpoint.url) as client:
            template = client.inspect_service(engine_id)["Spec"]["TaskTemplate"]
        assert template["RestartPolicy"]["Condition"] == condition
        assert template["RestartPolicy"].get("MaxAttempts", 0) == restart.retries_max
        assert template["Placement"]["Constraints"] == [f"node.hostname=={endpoint.member}"]

    def test_the_engine_keeps_the_grace(self, driver, endpoint, make):
        engine_id = make(stop_grace_s=41.5)
        with raw(endpoint.url) as client:
            template = client.inspect_service(engine_id)["Spec"]["TaskTemplate"]
        assert template["ContainerSpec"]["StopGracePeriod"] == 41_500_000_000

    def test_health(self, driver, make):
        # The first check waits until the test lets it go on: until then the swarm thinks nothing of it.
        script = "until test -e /tmp/go; do sleep 0.1; done; test -e /tmp/well"
        check = HealthCheck(("sh", "-c", script), interval_s=0.3, timeout_s=100.0, retries=2)
        engine_id = make(health=check)
        driver.start(engine_id)
        assert driver.inspect(engine_id).state is ContainerState.RUNNING
        assert driver.inspect(engine_id).health == "starting"
        self.run(driver, engine_id, "touch", "/tmp/well", "/tmp/go")
        wait_for(lambda: driver.inspect(engine_id).health == "healthy")
        self.run(driver, engine_id, "rm", "/tmp/well")
        # A swarm does not keep what is unhealthy.
        assert wait_for(lambda: ended(driver, engine_id)).health is None

    def test_members(self, driver, endpoint):
        assert driver.facts().members == (endpoint.member,)
        everywhere = connect(Endpoint("swarm", endpoint.url))
        assert everywhere.facts().members == (endpoint.member,)
        everywhere.close()
        elsewhere = connect(Endpoint("swarm", endpoint.url, member="no-such-host"))
        with pytest.raises(EngineRefusalError, match="no-such-host"):
            elsewhere.facts()
        elsewhere.close()

    def test_what_a_swarm_cannot_do(self, make):
        with pytest.raises(EngineRefusalError, match="without a network"):
            make(network="none")
        with pytest.raises(EngineRefusalError, match=r"127\.0\.0\.1"):
            make(ports=(Port(80, host_ip="127.0.0.1"),))


class TestSimulated(Contract):
    @staticmethod
    @contextmanager
    def engine(tmp_path_factory):
        folder = str(tmp_path_factory.mktemp("simulated"))
        yield Endpoint("simulated", "simulated://node-a?cpus=4&memory_mib=8192", folder=folder)

    def test_images(self, driver):
        assert driver.has_image(IMAGE)

    def test_image_missing(self, driver):
        """There is no registry to ask: every image that can have a name is there."""
        assert driver.has_image(self.missing_image)

    def test_capacity_is_the_urls(self, driver):
        facts = driver.facts()
        assert (facts.cpus, facts.memory_bytes, facts.host) == (4.0, 8192 * MIB, "node-a")
        assert facts.engine == "simulated"

    def test_it_says_that_nothing_runs(self, driver, make):
        engine_id = make()
        driver.start(engine_id)
        assert "nothing runs" in text_of(driver.logs(engine_id, LogRequest()))
        with pytest.raises(EngineRefusalError, match="simulated"):
            driver.execute(engine_id, ExecSpec(("true",)))


def test_every_driver_runs_the_suite():
    classes = (TestDocker, TestPodman, TestSwarm, TestSimulated)
    suites = {cls.__name__.removeprefix("Test").lower() for cls in classes}
    assert suites == set(DRIVERS)
