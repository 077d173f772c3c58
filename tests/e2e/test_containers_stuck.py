"""Real engines on which something is stuck: a container that starts slowly, an engine that hangs when the
container engine is opened, a command that waits on a node that dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from engines.docker_engine import docker_engine, docker_engines
from engines.eyes import docker, running, why_no_eyes
from engines.nodes import PATIENCE_S, WAIT_S, engine_of, request, wait_until
from qrealm.base.errors import QrealmError
from qrealm.control.containers.engine import COMPARE_S
from qrealm.control.containers.values import NodeState, Phase

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

SLOW = """#!/bin/sh
[ -e {flag} ] && case "$*" in *" create "*) sleep {seconds}; touch {slept};; esac
exec $(command -v runc) "$@"
"""


def state_of(engine, node):
    return next(view.record.state for view in engine.nodes.all() if view.record.name == node)


def test_a_container_that_starts_slowly_does_not_lose_its_node(tmp_path: Path) -> None:
    flag, slept, runtime = tmp_path / "slow", tmp_path / "slept", tmp_path / "runtime"
    runtime.write_text(SLOW.format(flag=flag, slept=slept, seconds=2 * PATIENCE_S + 1))
    runtime.chmod(0o755)
    options = ("--add-runtime", f"slow={runtime}", "--default-runtime", "slow")
    with (
        docker_engine(options=options) as machine,
        engine_of({"n1": machine.url}, tmp_path / "home", watch=True) as engine,
    ):
        engine.lifecycle.create(request("quick"))
        engine.lifecycle.run("quick")
        engine.lifecycle.create(request("web"))
        flag.touch()
        assert engine.lifecycle.run("web").started
        assert slept.exists(), "the runtime was not slow"
        assert state_of(engine, "n1") is NodeState.READY
        assert not [event for event in engine.views.events() if event.action == "lost"]


def test_an_engine_that_hangs_is_not_waited_for_and_seen_when_it_goes_on(tmp_path: Path) -> None:
    with docker_engines(3) as machines:
        urls = {f"n{n}": machine.url for n, machine in enumerate(machines)}
        with engine_of(urls, tmp_path / "home") as engine:
            engine.lifecycle.create(request("web", node="n1"))
            engine.lifecycle.run("web")
        pid = int((machines[1].folder / "pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            with engine_of(urls, tmp_path / "home", watch=True) as engine:
                took = time.monotonic() - begun
                wait_until(lambda: state_of(engine, "n1") is NodeState.LOST)
                wait_until(lambda: "web" in running(urls["n0"]) | running(urls["n2"]))
                os.kill(pid, signal.SIGCONT)
                wait_until(lambda: state_of(engine, "n1") is NodeState.READY)
                wait_until(lambda: "web" not in running(urls["n1"]))
        finally:
            os.kill(pid, signal.SIGCONT)
        assert took < COMPARE_S, "what is there was not asked of it"


def test_a_stop_that_waits_on_a_node_that_dies_keeps_nobody(tmp_path: Path) -> None:
    ignores = ("sh", "-c", "trap 'echo told' TERM; while :; do sleep 0.1; done")
    with docker_engines(3) as machines:
        urls = {f"n{n}": machine.url for n, machine in enumerate(machines)}
        with engine_of(urls, tmp_path / "home", watch=True) as engine:
            engine.lifecycle.create(request("stubborn", *ignores, node="n0"))
            for name, node in (("a", "n0"), ("b", "n1")):
                engine.lifecycle.create(request(f"web-{name}", node=node))
            for name in ("stubborn", "web-a", "web-b"):
                engine.lifecycle.run(name)

            def stop() -> None:
                try:
                    engine.lifecycle.stop("stubborn", 600)
                except QrealmError as problem:
                    told.append(problem)

            told: list[QrealmError] = []
            waiting = threading.Thread(target=stop)
            waiting.start()
            wait_until(lambda: docker(urls["n0"], "logs", "stubborn") == "told\n")
            assert waiting.is_alive(), "it waits for the container"
            machines[0].kill()
            wait_until(lambda: "web-a" in running(urls["n1"]) | running(urls["n2"]))
            waiting.join(WAIT_S)
            assert not waiting.is_alive()
            assert told
            machines[1].kill()
            wait_until(lambda: {"web-a", "web-b"} <= running(urls["n2"]))
            everything = engine.views.containers
            wait_until(lambda: {view.record.node for view in everything()} == {"n2"})
            wait_until(lambda: {view.record.phase for view in everything()} == {Phase.READY})
