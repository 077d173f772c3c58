"""A state that is imported where another engine still has the containers, on a real Docker engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.eyes import clean, docker, inspect, running, seen, states, why_no_eyes
from engines.image import IMAGE
from engines.nodes import engine_of, request, wait_until
from qrealm.base.errors import NameTakenError
from qrealm.fleet.containers.protocol import LABEL_CONTAINER, LABEL_ENGINE, Mount

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))


def test_containers_of_another_engine_go_on_until_they_are_taken_over(url: str, tmp_path: Path) -> None:
    volume = (Mount("kept", "/kept"),)
    try:
        with engine_of({"one": url}, tmp_path / "first") as first:
            first.lifecycle.create(
                request("web", "sh", "-c", "date >> /kept/starts; exec sleep 3600", mounts=volume)
            )
            first.lifecycle.create(request("idle"))
            first.lifecycle.run("web")
            document = json.loads(json.dumps(first.snapshots.export()))
            owner = document["engine_id"]
        docker(url, "run", "-d", "--name", "stranger", "--network", "none", IMAGE)
        before = inspect(url, "web")
        begun_at = document["exported_at"]

        with engine_of({"one": url}, tmp_path / "second") as second:
            told = f"container 'web' is on node 'one' and belongs to the engine {owner}"
            with pytest.raises(NameTakenError, match=told):
                second.snapshots.import_(document)
            second.upkeep.maintenance()
            assert second.views.containers() == ()
            assert inspect(url, "web")["State"] == before["State"], "it has run on all the time"
            assert inspect(url, "web")["Id"] == before["Id"]
            assert states(url) == {"web": "running", "idle": "created", "stranger": "running"}

            found = second.snapshots.import_(document, take_over=True)
            assert (found["taken_over"], found["problems"]) == (["idle", "web"], [])
            after = inspect(url, "web")
            assert after["Id"] != before["Id"]
            assert after["Config"]["Labels"][LABEL_ENGINE] != owner
            assert after["Config"]["Labels"][LABEL_CONTAINER] == before["Config"]["Labels"][LABEL_CONTAINER]
            assert states(url) == {"web": "running", "idle": "created", "stranger": "running"}
            wait_until(lambda: docker(url, "exec", "web", "sh", "-c", "wc -l < /kept/starts").strip() == "2")
            # The old one had its signal and ended by itself, or was killed after the grace, before the new
            # one was made: there were never two at once.
            assert len(seen(url, before["Id"], "die", begun_at)) == 1
            assert seen(url, before["Id"], "destroy", begun_at) < seen(url, after["Id"], "start", begun_at)

        # The first engine does not touch what is not its own any more.
        with engine_of({"one": url}, tmp_path / "first") as first:
            problems = first.upkeep.maintenance().problems
            assert any("web" in line for line in problems)
            assert inspect(url, "web")["Id"] == after["Id"]
            assert running(url) == {"web", "stranger"}
    finally:
        clean([url])


def test_a_take_over_without_its_image_leaves_what_is_there(url: str, tmp_path: Path) -> None:
    try:
        docker(url, "tag", IMAGE, "passing:1")
        with engine_of({"one": url}, tmp_path / "first") as first:
            first.lifecycle.create(request("web", image="passing:1"))
            first.lifecycle.run("web")
            document = json.loads(json.dumps(first.snapshots.export()))
        docker(url, "rmi", "passing:1")
        for record in document["containers"]:
            record["spec"]["image"] = "registry.invalid/passing:1"
        with engine_of({"one": url}, tmp_path / "second") as second:
            found = second.snapshots.import_(document, take_over=True)
            assert any("registry.invalid" in line for line in found["problems"])
            assert running(url) == {"web"}, "what cannot be made again is not removed"
    finally:
        clean([url])
