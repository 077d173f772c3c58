"""The two uses that docs/registers.md tells of, with real containers: a canary at 20 % and failures that hang
together. The example files themselves are used, with the images that this machine has."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path

import pytest

from engines.eyes import states, why_no_eyes
from engines.image import IMAGE
from engines.nodes import engine_of

pytestmark = pytest.mark.skipif(why_no_eyes() is not None, reason=str(why_no_eyes()))

EXAMPLES = Path(__file__).parents[2] / "examples" / "qdocker"
ROUNDS = 120
TURNS = 200
SIGMAS = 4.0


@pytest.fixture
def engine(clean_url, tmp_path):
    with engine_of({"one": clean_url}, tmp_path / "home", seed=20) as opened:
        yield opened


def example(name):
    """A cluster file with images and networks of this machine; nothing else is changed."""
    text = (EXAMPLES / name).read_text()
    text = re.sub(r"image: \S+", f"image: {IMAGE}\n    network: none", text)
    return re.sub(r"\n +(healthcheck|volumes|cap_add|environment): .*", "", text)


def rounds(engine, url, names, count=ROUNDS):
    """Run all containers again and again; what Docker itself says about them after each round."""
    seen = Counter()
    for _ in range(count):
        for name in names:
            engine.lifecycle.run(name)
        real = states(url)
        seen[tuple(real[name] == "running" for name in names)] += 1
        engine.upkeep.maintenance(renew=True)
    return seen


def within(share, probability, count):
    return abs(share - probability) < SIGMAS * math.sqrt(probability * (1 - probability) / count)


def test_one_of_canary_and_stable_runs_and_the_canary_in_a_fifth_of_all_rounds(engine, url):
    engine.clusters.create(example("canary.yaml"), "canary.yaml")
    seen = rounds(engine, url, ["canary", "stable"])
    assert set(seen) <= {(True, False), (False, True)}
    assert within(seen[True, False] / ROUNDS, 0.2, ROUNDS)
    assert seen[True, False] > 0


def test_three_services_fail_together(engine, url):
    engine.clusters.create(example("chaos.yaml"), "chaos.yaml")
    seen = rounds(engine, url, ["front", "cache", "database"])
    assert set(seen) <= {(True, True, True), (False, False, False)}
    assert within(seen[True, True, True] / ROUNDS, 0.9, ROUNDS)
    assert seen[False, False, False] > 0


def test_a_turned_qubit_loosens_the_tie(engine):
    """After RY(0.5) the database disagrees in sin²(0.25) of all rounds; of outcomes, without starting any."""
    engine.clusters.create(example("chaos.yaml"), "chaos.yaml")
    seen = Counter()
    for _ in range(TURNS):
        engine.circuits.apply_gate("RY", ["database"], 0.5)
        outcomes = engine.circuits.measure("front").outcomes
        assert outcomes["front"] == outcomes["cache"]
        seen[outcomes["front"] == outcomes["database"]] += 1
        engine.circuits.prepare_again(all_of_them=True)
    assert within(seen[False] / TURNS, math.sin(0.25) ** 2, TURNS)
