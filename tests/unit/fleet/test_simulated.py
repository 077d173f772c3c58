"""The driver without an engine: what outlives a process, what several of them do, what goes wrong."""

from __future__ import annotations

import fcntl
import json
import multiprocessing

import pytest

from qrealm.base.errors import (
    EngineRefusalError,
    EngineUnavailableError,
    NameTakenError,
    RequestError,
)
from qrealm.fleet.containers import connect
from qrealm.fleet.containers.protocol import (
    ContainerSpec,
    ContainerState,
    Endpoint,
    HealthCheck,
    Limits,
    Port,
    PullProgress,
)
from qrealm.fleet.containers.simulated import EXIT_ON_SIGTERM

URL = "simulated://node-a?cpus=4&memory_mib=1024"


@pytest.fixture
def endpoint(tmp_path):
    return Endpoint("simulated", URL, folder=str(tmp_path / "records"))


def test_records_outlive_the_driver(endpoint):
    engine_id = connect(endpoint).create(ContainerSpec("web", "nginx:1.27", labels={"a": "b"}))
    connect(endpoint).start(engine_id)
    facts = connect(endpoint).inspect(engine_id)
    assert (facts.name, facts.image, facts.state) == ("web", "nginx:1.27", ContainerState.RUNNING)
    connect(endpoint).stop(engine_id)
    assert connect(endpoint).inspect(engine_id).exit_code == EXIT_ON_SIGTERM


def test_limits_are_kept(endpoint, tmp_path):
    connect(endpoint).create(ContainerSpec("web", "nginx", limits=Limits(0.5, 64 << 20, 9)))
    told = json.loads((tmp_path / "records" / "node-a.json").read_text())
    (record,) = told["containers"].values()
    host = record["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (500_000_000, 64 << 20, 9)


def test_nodes_in_one_folder_are_apart(tmp_path):
    nodes = [connect(Endpoint("simulated", f"simulated://n{i}", folder=str(tmp_path))) for i in range(2)]
    for node in nodes:
        node.create(ContainerSpec("web", "nginx"))
    assert [len(node.find({})) for node in nodes] == [1, 1]


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"limits": Limits(cpus=4.5)}, "host's 4; got 4.5"),
        ({"limits": Limits(cpus=0.001)}, "0.01"),
        ({"limits": Limits(memory_bytes=1 << 20)}, "at least 6 MiB"),
        ({"name": "w"}, "two or more"),
        ({"name": "-web"}, "two or more"),
    ],
)
def test_what_an_engine_would_refuse(endpoint, fields, words):
    spec = ContainerSpec(**({"name": "web", "image": "nginx"} | fields))
    with pytest.raises(EngineRefusalError, match=words):
        connect(endpoint).create(spec)
    assert connect(endpoint).find({}) == []


@pytest.mark.parametrize(
    "image",
    ["nginx", "nginx:1.27", "ghcr.io/a-b/c_d:V1", "localhost:5000/x/y", "a@sha256:" + "0" * 64, "Host.io/a"],
)
def test_images_of_every_form(endpoint, image):
    seen = []
    connect(endpoint).pull(image, seen.append)
    assert [type(step) for step in seen] == [PullProgress]
    assert connect(endpoint).has_image(image)


@pytest.mark.parametrize("image", ["", "Nginx", "a b", "nginx:", ":1", "a//b:c:d"])
def test_what_is_no_image(endpoint, image):
    with pytest.raises(RequestError, match="is no name of an image"):
        connect(endpoint).pull(image)


def test_a_check_that_nobody_runs_tells_nothing(endpoint):
    driver = connect(endpoint)
    engine_id = driver.create(ContainerSpec("web", "nginx", health=HealthCheck(("true",))))
    driver.start(engine_id)
    assert driver.inspect(engine_id).health is None


def test_ports(endpoint):
    driver = connect(endpoint)
    first = driver.create(ContainerSpec("one", "nginx", ports=(Port(80, 8080), Port(81), Port(82))))
    second = driver.create(ContainerSpec("two", "nginx", ports=(Port(80, 8080),)))
    assert driver.inspect(first).ports == (Port(80, 8080), Port(81), Port(82))
    driver.start(first)
    assert [port.host_port for port in driver.inspect(first).ports] == [8080, 32768, 32769]
    with pytest.raises(EngineRefusalError, match="8080"):
        driver.start(second)
    assert driver.inspect(second).state is ContainerState.CREATED
    driver.stop(first)
    driver.start(second)


@pytest.mark.parametrize(
    "url",
    ["simulated://", "simulated://a/b", "simulated://a?cores=1", "simulated://a?cpus=x", "simulated://a?cpus=-1",
     "simulated://a?cpus=nan", "simulated://../x", "unix:///a"],
)  # fmt: skip
def test_urls_that_say_nothing(url, tmp_path):
    with pytest.raises(RequestError, match="simulated"):
        connect(Endpoint("simulated", url, folder=str(tmp_path)))


def test_this_machine_by_default(tmp_path):
    facts = connect(Endpoint("simulated", folder=str(tmp_path))).facts()
    assert facts.cpus >= 1
    assert facts.memory_bytes > 1 << 26
    assert facts.simulated


def test_a_damaged_file_is_named(endpoint, tmp_path):
    driver = connect(endpoint)
    driver.create(ContainerSpec("web", "nginx"))
    file = tmp_path / "records" / "node-a.json"
    file.write_text(file.read_text()[:-5])
    with pytest.raises(EngineUnavailableError, match=r"node-a\.json is damaged"):
        driver.find({})


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    driver = connect(Endpoint("simulated", URL, folder=str(tmp_path / "file" / "x")))
    with pytest.raises(EngineUnavailableError, match="cannot be used"):
        driver.find({})


def test_a_file_that_somebody_holds(endpoint, tmp_path):
    driver = connect(endpoint, timeout_s=0.2)
    driver.find({})
    with (tmp_path / "records" / "node-a.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(EngineUnavailableError, match="another process held it"):
            driver.create(ContainerSpec("web", "nginx"))
    driver.create(ContainerSpec("web", "nginx"))


def create_many(endpoint, number):
    driver = connect(endpoint)
    won = 0
    for index in range(20):
        driver.create(ContainerSpec(f"own-{number}-{index}", "nginx"))
        try:
            driver.create(ContainerSpec(f"shared-{index}", "nginx"))
            won += 1
        except NameTakenError:
            pass
    return won


def test_several_processes_lose_nothing(endpoint):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        won = pool.starmap(create_many, [(endpoint, number) for number in range(3)])
    assert sum(won) == 20
    names = {facts.name for facts in connect(endpoint).find({})}
    assert len(names) == 3 * 20 + 20
