"""Whatever is cut off, full or broken: on a real Docker engine nothing is left half made."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engines.docker_engine import DockerEngine, docker_engine, docker_engines
from engines.eyes import clean, inspect, running, states, why_no_eyes
from engines.image import load_image
from engines.nodes import engine_of, request
from qrealm.base.errors import EngineRefusalError, EngineUnavailableError, StoreError
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.values import Phase, Wanted
from qrealm.fleet.containers.protocol import ExecSpec, LogRequest

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

CUT = Path(__file__).parent.parent / "engines" / "cut_off.py"


def cut_off(home: Path, urls: dict[str, str], moment: str, call: str, *command: str) -> None:
    """Have a process of its own carry out a command, and end with SIGKILL before or after a driver's call."""
    words = [f"{name}={url}" for name, url in urls.items()]
    done = subprocess.run(
        [sys.executable, str(CUT), str(home), ",".join(words), moment, call, *command],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL, f"it was not cut off: {done.returncode} {done.stderr[-2000:]}"


def agree(engine: ContainerEngine, url: str) -> None:
    """Records and engine name the same containers, and these are as they shall be."""
    views = engine.views.containers()
    there = states(url)
    assert {view.record.name for view in views} == set(there)
    for view in views:
        assert view.record.phase is Phase.READY
        assert view.record.engine_id == inspect(url, view.record.name)["Id"]
        assert (there[view.record.name] == "running") == (view.record.wanted is Wanted.RUNNING)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_in_the_middle_of_create(clean_url, tmp_path, moment):
    home = tmp_path / "home"
    cut_off(home, {"one": clean_url}, moment, "create", "create", "web")
    assert len(states(clean_url)) == (1 if moment == "after" else 0)
    with engine_of({"one": clean_url}, home) as engine:
        agree(engine, clean_url)
        names = [view.record.name for view in engine.views.containers()]
        assert names == (["web"] if moment == "after" else [])
        if not names:
            engine.lifecycle.create(request("web"))
        assert engine.lifecycle.run("web").facts.state == "running"
        assert engine.upkeep.maintenance().problems == ()
        agree(engine, clean_url)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_in_the_middle_of_run(clean_url, tmp_path, moment):
    home = tmp_path / "home"
    cut_off(home, {"one": clean_url}, moment, "start", "create-run", "web")
    with engine_of({"one": clean_url}, home) as engine:
        assert running(clean_url) == {"web"}, "the outcome was written down, and is carried out"
        assert engine.views.inspect("web").record.measured.state == "running"
        agree(engine, clean_url)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_before_a_second_start(clean_url, tmp_path, moment):
    home = tmp_path / "home"
    with engine_of({"one": clean_url}, home) as engine:
        engine.lifecycle.create(request("web"))
        engine.lifecycle.run("web")
        engine.lifecycle.stop("web")
    cut_off(home, {"one": clean_url}, moment, "start", "run", "web")
    with engine_of({"one": clean_url}, home) as engine:
        assert running(clean_url) == {"web"}
        agree(engine, clean_url)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_in_the_middle_of_stop(clean_url, tmp_path, moment):
    home = tmp_path / "home"
    with engine_of({"one": clean_url}, home) as engine:
        engine.lifecycle.create(request("web"))
        engine.lifecycle.run("web")
    cut_off(home, {"one": clean_url}, moment, "stop", "stop", "web")
    with engine_of({"one": clean_url}, home) as engine:
        assert states(clean_url) == {"web": "exited"}
        agree(engine, clean_url)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_in_the_middle_of_rm(clean_url, tmp_path, moment):
    home = tmp_path / "home"
    with engine_of({"one": clean_url}, home) as engine:
        engine.lifecycle.create(request("web"))
        engine.lifecycle.create(request("db"))
        engine.circuits.entangle("web", "db", "same")
    cut_off(home, {"one": clean_url}, moment, "remove", "remove", "web")
    with engine_of({"one": clean_url}, home) as engine:
        assert states(clean_url) == {"db": "created"}
        assert engine.views.inspect("db").group == ("db",)
        agree(engine, clean_url)


@pytest.mark.parametrize(
    "moment, call",
    [("after", "create"), ("before", "start"), ("after", "start"), ("before", "stop"), ("after", "stop")],
)
def test_a_process_killed_in_the_middle_of_a_move(tmp_path, two, moment, call):
    home = tmp_path / "home"
    with engine_of(two, home) as engine:
        engine.lifecycle.create(request("web", node="n1"))
        engine.lifecycle.run("web")
    cut_off(home, two, moment, call, "drain", "n1")
    with engine_of(two, home) as engine:
        there = {node for node, url in two.items() if states(url)}
        record = engine.views.inspect("web").record
        assert there == {record.node}, "one copy of it, where the record says"
        agree(engine, two[str(record.node)])
        assert running(two[str(record.node)]) == {"web"}


@pytest.fixture(scope="module")
def two_machines() -> Iterator[dict[str, str]]:
    with docker_engines(2) as started:
        yield dict(zip(("n1", "n2"), (machine.url for machine in started), strict=True))


@pytest.fixture
def two(two_machines: dict[str, str]) -> Iterator[dict[str, str]]:
    try:
        yield two_machines
    finally:
        clean(list(two_machines.values()))


def test_an_engine_that_is_gone_is_named(tmp_path):
    with docker_engine() as machine, engine_of({"one": machine.url}, tmp_path / "home") as engine:
        engine.lifecycle.create(request("web"))
        machine.kill()
        for attempt in (
            lambda: engine.lifecycle.create(request("db")),
            lambda: engine.lifecycle.run("web"),
            lambda: engine.lifecycle.stop("web"),
            lambda: engine.lifecycle.remove("web"),
            lambda: list(engine.lifecycle.logs("web", LogRequest())),
            lambda: engine.lifecycle.execute("web", ExecSpec(("true",))),
        ):
            with pytest.raises(EngineUnavailableError, match=machine.url):
                attempt()
        assert [view.record.name for view in engine.views.containers()] == ["web"], "no half-made db"
        assert engine.views.inspect("web").facts is None
        report = engine.upkeep.maintenance()
        assert report.unreachable == ("one",)
        assert engine.lifecycle.remove("web", force=True) == "web"
        machine.start()
        assert engine.upkeep.maintenance().removed == ("web",), (
            "what was forgotten goes when it is seen again"
        )
        assert states(machine.url) == {}


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "qrealm-test", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path) -> Path:
    """Leave not a byte free."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * (1 << 16)):
                pass
        except OSError:
            pass
    return path


def create_many(engine: ContainerEngine) -> None:
    """Go on for as long as there is room."""
    for index in range(40):
        engine.lifecycle.create(request(f"c{index}"))


def test_a_full_disk_of_ours(clean_url, tmp_path):
    with small_disk(tmp_path / "disk", "4m") as disk:
        with engine_of({"one": clean_url}, disk / "home") as engine:
            engine.lifecycle.create(request("web"))
            ballast = fill(disk)
            with pytest.raises(StoreError, match="full") as caught:
                create_many(engine)
            assert caught.value.hint
            ballast.unlink()
            engine.upkeep.maintenance()
            agree(engine, clean_url)
            engine.lifecycle.create(request("later"))
            assert engine.lifecycle.run("web").facts.state == "running"
            agree(engine, clean_url)
        with engine_of({"one": clean_url}, disk / "home") as engine:
            agree(engine, clean_url)


def test_a_full_disk_of_the_engine(tmp_path):
    machine = DockerEngine()
    try:
        with small_disk(machine.folder / "data", "24m") as disk:
            machine.start()
            load_image(machine.url)
            with engine_of({"one": machine.url}, tmp_path / "home") as engine:
                engine.lifecycle.create(request("web"))
                before = states(machine.url)
                ballast = fill(disk)
                with pytest.raises(EngineRefusalError, match="no space left on device") as caught:
                    engine.lifecycle.create(request("db"))
                assert "free space" in str(caught.value.hint)
                assert states(machine.url) == before
                assert [view.record.name for view in engine.views.containers()] == ["web"]
                ballast.unlink()
                engine.lifecycle.create(request("db"))
                assert states(machine.url) == {"web": "created", "db": "created"}
    finally:
        machine.close()
