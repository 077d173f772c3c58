"""A container that crashes and is started again by its engine, over and over: its ends are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engines.docker_engine import docker_engine
from engines.eyes import why_no_eyes
from engines.nodes import engine_of, request, wait_until
from qrealm.control.containers.values import Wanted
from qrealm.fleet.containers.protocol import Restart

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))


def test_its_ends_are_told_and_its_wish_to_run_stands(tmp_path):
    with docker_engine() as started, engine_of({"one": started.url}, tmp_path / "home", watch=True) as engine:
        wanted = request("loop", "sh", "-c", "sleep 1; exit 3")
        engine.lifecycle.create(replace(wanted, spec=replace(wanted.spec, restart=Restart("always"))))
        assert engine.lifecycle.run("loop").started

        def ends() -> list[dict[str, str]]:
            events = engine.views.events()
            return [dict(e.attributes) for e in events if (e.action, e.name) == ("die", "loop")]

        wait_until(lambda: len(ends()) >= 2)
        for told in ends():
            assert told == {"node": "one", "exit_code": "3", "restarting": "true"}
        assert engine.views.inspect("loop").record.wanted is Wanted.RUNNING
        engine.lifecycle.remove("loop", force=True)
