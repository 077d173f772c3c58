"""Images that declare a volume: what is kept there is on its node, and no move, drain or loss gives it up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from engines.docker_engine import DockerEngine, docker_engines
from engines.eyes import clean, docker, states, why_no_eyes
from engines.image import CHANGES, image_tar
from engines.nodes import engine_of, request, wait_until
from qrealm.base.errors import EngineRefusalError
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.values import NodeState, Phase
from qrealm.fleet.containers.protocol import ExecSpec

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

IMAGE = "qrealm-keeps:1"


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, DockerEngine]]:
    import docker as sdk

    with docker_engines(2) as started:
        for each in started:
            with closing(sdk.APIClient(base_url=each.url, version="auto", timeout=60)) as client:
                name, _, tag = IMAGE.partition(":")
                changes = [*CHANGES, "VOLUME /kept"]
                client.import_image_from_data(image_tar(), repository=name, tag=tag, changes=changes)
        yield dict(zip(("one", "two"), started, strict=True))


@pytest.fixture
def urls(engines: dict[str, DockerEngine]) -> dict[str, str]:
    return {name: each.url for name, each in engines.items()}


@pytest.fixture
def engine(urls: dict[str, str], tmp_path: Path) -> Iterator[ContainerEngine]:
    try:
        with engine_of(urls, tmp_path / "home", watch=True) as opened:
            yield opened
    finally:
        clean(urls.values())


def said(engine: ContainerEngine, *command: str) -> str:
    run = engine.lifecycle.execute("store", ExecSpec(command))
    told = b"".join(piece.data for piece in run.output()).decode()
    assert run.exit_code() == 0, told
    return told


def make(engine: ContainerEngine) -> None:
    wanted = request("store")
    engine.lifecycle.create(replace(wanted, spec=replace(wanted.spec, image=IMAGE), node="one"))
    engine.lifecycle.run("store", force=True)
    said(engine, "sh", "-c", "echo precious > /kept/x")


def test_no_command_moves_it_away_from_its_data(engine, urls):
    make(engine)
    assert "volume" in engine.nodes.drain("one").stays["store"]
    engine.nodes.activate("one")
    engine.balancing.rebalance()
    engine.balancing.load_balance(["store"])
    assert (states(urls["one"]), states(urls["two"])) == ({"store": "running"}, {})
    assert said(engine, "cat", "/kept/x") == "precious\n"
    # Once it is known, no plan has it move, and others go.
    wait_until(lambda: engine.views.inspect("store").record.data_node == "one")
    engine.lifecycle.create(request("other", node="one"))
    drained = engine.nodes.drain("one")
    assert [move.name for move in drained.moves] == ["other"]
    assert "volume of its image" in drained.stays["store"]
    engine.lifecycle.remove("other", force=True)
    # Removing it with its volumes is what gives the data up.
    (mount,) = json.loads(docker(urls["one"], "inspect", "store"))[0]["Mounts"]
    assert mount["Name"] in docker(urls["one"], "volume", "ls", "-q").split()
    engine.lifecycle.remove("store", force=True, volumes=True)
    assert mount["Name"] not in docker(urls["one"], "volume", "ls", "-q").split()


def test_it_waits_for_a_node_that_is_lost_and_comes_back_with_its_data(engine, engines, urls):
    make(engine)
    wait_until(lambda: engine.views.inspect("store").record.data_node == "one")
    engines["one"].kill()
    wait_until(lambda: engine.views.inspect("store").record.phase is Phase.WAITING)
    assert states(urls["two"]) == {}
    engines["one"].start()
    wait_until(lambda: all(view.record.state is NodeState.READY for view in engine.nodes.all()))
    wait_until(lambda: engine.views.inspect("store").record.phase is Phase.READY)
    assert states(urls["two"]) == {}
    engine.lifecycle.run("store", force=True)
    assert said(engine, "cat", "/kept/x") == "precious\n"


def test_a_move_that_is_asked_for_is_refused_before_anything_is_made(engine, urls):
    make(engine)
    with pytest.raises(EngineRefusalError, match="/kept, which a move would lose"):
        engine.balancing._moves.move("store", "two")
    assert (states(urls["one"]), states(urls["two"])) == ({"store": "running"}, {})
