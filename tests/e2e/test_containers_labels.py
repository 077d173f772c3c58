"""Labels on a real Docker engine: what is ours is known again, whatever others write on their containers."""

from __future__ import annotations

import time

import pytest

from engines.eyes import docker, inspect, states, why_no_eyes
from engines.image import IMAGE
from engines.nodes import request
from qrealm.control.containers.values import Wanted

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))


def with_labels(url: str, name: str, labels: dict[str, str], *options: str) -> None:
    """Somebody else makes a container, and gives it labels."""
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    docker(url, "run", "-d", "--name", name, "--network", "none", *options, *words, IMAGE)


def test_one_of_ours_that_no_record_names_is_adopted(engine, url):
    asked = request("web", probability=0.25, environment={"PASSWORD": "swordfish"})
    made = engine.lifecycle.create(asked).container
    engine.lifecycle.run("web", force=True)
    engine.lifecycle.forget(made)
    engine._ctx.store.settings.delete(f"removed:{made.id}")
    assert engine.upkeep.maintenance().adopted == ("web",)
    view = engine.views.inspect("web")
    assert (view.record.id, view.record.spec, view.record.quantum) == (made.id, made.spec, made.quantum)
    assert view.record.wanted is Wanted.RUNNING
    assert view.probabilities["running"] == pytest.approx(0.25)
    assert engine.upkeep.maintenance().adopted == ()


def test_labels_of_ours_on_a_container_of_others_make_it_not_ours(engine, url):
    """Whoever may make containers on a node reads our labels there, and can give them to its own."""
    made = engine.lifecycle.create(request("web")).container
    labels = inspect(url, "web")["Config"]["Labels"]
    with_labels(url, "evil", {**labels, "io.qrealm.container": "ab" * 32, "io.qrealm.name": "evil"})
    unsealed = {key: value for key, value in labels.items() if key != "io.qrealm.sealed"}
    with_labels(url, "twin", unsealed)
    before = {name: inspect(url, name) for name in ("evil", "twin")}
    report = engine.upkeep.maintenance()
    assert (report.adopted, report.removed, report.made_again) == ((), (), ())
    assert sum("seal" in line for line in report.problems) == 2
    assert engine.views.inspect("web").record.engine_id == made.engine_id
    engine.lifecycle.remove("web", force=True)
    engine.upkeep.maintenance()
    assert {name: inspect(url, name) for name in before} == before


def test_a_large_environment_is_in_no_label_and_in_no_event(engine, url):
    environment = {f"TOKEN_{n}": f"swordfish-{n}-" + "x" * 200 for n in range(100)}
    since = time.time()
    made = engine.lifecycle.create(request("web", environment=environment)).container
    engine.lifecycle.run("web", force=True)
    listed = docker(url, "ps", "-a", "--no-trunc", "--format", "{{.Labels}}")
    told = docker(
        url, "events", "--since", f"{since:.3f}", "--until", f"{time.time():.3f}", "--format", "{{json .}}"
    )
    for words in (listed, told):
        assert made.id in words
        assert "swordfish" not in words
        assert "TOKEN_" not in words, "what is sealed is base64, which has no _"
    assert f"TOKEN_99={environment['TOKEN_99']}" in inspect(url, "web")["Config"]["Env"]
    facts = engine.views.inspect("web").facts
    assert facts is not None
    assert engine._ctx.seals.record_from(facts, "one").spec == made.spec


def test_a_foreign_container_whose_labels_make_no_sense_stays_alone(engine, url):
    engine.lifecycle.create(request("web"))
    labels = inspect(url, "web")["Config"]["Labels"]
    words = ["--label", f"io.qrealm.engine={labels['io.qrealm.engine']}"]
    words += ["--label", "io.qrealm.container=nonsense", "--label", "io.qrealm.spec={"]
    docker(url, "create", "--name", "odd", "--network", "none", *words, IMAGE)
    report = engine.upkeep.maintenance()
    assert report.adopted == ()
    assert any("odd" in line for line in report.problems)
    assert states(url) == {"web": "created", "odd": "created"}


def test_a_label_of_the_engine_alone_stops_no_maintenance(engine, url):
    engine.lifecycle.create(request("web"))
    ours = inspect(url, "web")["Config"]["Labels"]["io.qrealm.engine"]
    docker(url, "create", "--name", "odd", "--network", "none", "--label", f"io.qrealm.engine={ours}", IMAGE)
    report = engine.upkeep.maintenance()
    assert any("odd" in line for line in report.problems)
    assert states(url) == {"web": "created", "odd": "created"}
