"""What registers come to with time, and what maintenance makes of them."""

from __future__ import annotations

import math

import pytest
from tests.unit.control.containers.homes import Home

from qrealm.control.containers.registers import mutual_information_bits


def test_populations_relax_with_t1_and_coherence_with_t2(tmp_path):
    """P = π + (P₀ - π) e^(-t/T1), and of two entangled ones what is off the diagonal falls with 2t/T2."""
    with Home(tmp_path, decoherence_time_ms=2000.0, relaxation_time_ms=8000.0) as home:
        home.create("web", probability=0.2)
        home.engine.circuits.apply_gate("X", ["web"])
        home.create("one")
        home.create("two")
        home.engine.circuits.entangle("one", "two")
        home.clock.advance(4.0)
        found = home.engine.circuits.probabilities("web")["running"]
        assert found == pytest.approx(0.2 + 0.6 * math.exp(-4 / 8))
        density = home.engine.circuits.register("one").density
        corner = {
            (int(r), int(c)): v for r, c, v in zip(density.rows, density.cols, density.values, strict=True)
        }
        assert corner[0, 3].real == pytest.approx(0.5 * math.exp(-2 * 4 / 2))
        # What is shown without the whole register says the same.
        shown = home.engine.views.inspect("web").probabilities["running"]
        assert shown == pytest.approx(found)


def test_a_measurement_finds_what_the_register_has_relaxed_to(tmp_path):
    """As often as the closed form says, and with the probability that it says."""
    with Home(tmp_path, decoherence_time_ms=2000.0, relaxation_time_ms=8000.0, max_containers=200) as home:
        names = [f"c{number:03}" for number in range(120)]
        for name in names:
            home.create(name, probability=0.0, cpus=0.01, memory_mib=8)
            home.engine.circuits.apply_gate("X", [name])
        home.clock.advance(8.0)
        expected = math.exp(-1)
        reports = [home.engine.circuits.measure(name) for name in names]
        for report in reports:
            chance = expected if report.state == "running" else 1 - expected
            assert report.probability == pytest.approx(chance)
        running = sum(report.state == "running" for report in reports)
        # Four standard deviations of the binomial distribution.
        assert abs(running - 120 * expected) < 4 * math.sqrt(120 * expected * (1 - expected))


def test_maintenance_leaves_what_is_coherent_unless_it_is_to_renew(home):
    home.create("web", probability=0.2)
    home.engine.circuits.apply_gate("X", ["web"])
    assert home.engine.upkeep.maintenance().prepared_again == ()
    assert home.engine.circuits.probabilities("web")["running"] == pytest.approx(0.8)
    assert home.engine.upkeep.maintenance(renew=True).prepared_again == ("web",)
    assert home.engine.circuits.probabilities("web")["running"] == pytest.approx(0.2)


def test_maintenance_prepares_an_entangled_group_again_that_has_lost_its_coherence(tmp_path):
    """However correlated and uneven it still is: three alike at 0.9, no populations relax. What
    they have off the diagonal falls with e^(-3t/T2), its square to a half at 0.116 T2."""
    with Home(tmp_path, decoherence_time_ms=1000.0, relaxation_time_ms=1e9) as home:
        names = ["front", "cache", "database"]
        for name in names:
            home.create(name, probability=0.9)
        for other in names[1:]:
            home.engine.circuits.entangle("front", other)
        fresh = home.engine.views.status()["resources"]["quantum_coherence"]["sum_bits"]
        home.clock.advance(0.11)
        assert home.engine.upkeep.maintenance().prepared_again == ()
        home.clock.advance(0.01)
        assert set(home.engine.upkeep.maintenance().prepared_again) == set(names)
        home.clock.advance(100.0)
        assert home.engine.views.status()["resources"]["quantum_coherence"]["sum_bits"] < 1e-9
        assert set(home.engine.upkeep.maintenance().prepared_again) == set(names)
        told = home.engine.views.status()["resources"]["quantum_coherence"]["sum_bits"]
        assert told == pytest.approx(fresh)
        home.engine.circuits.apply_gate("X", ["cache"])
        home.engine.circuits.apply_gate("RY", ["database"], 0.4)
        assert home.engine.upkeep.maintenance().prepared_again == ()
        home.engine.circuits.measure("front")
        home.clock.advance(100.0)
        assert home.engine.upkeep.maintenance().prepared_again == ()


def test_renewing_puts_spent_relations_back_in_force(home):
    for name in ("one", "two", "three"):
        home.create(name)
    circuits = home.engine.circuits
    circuits.entangle("one", "two", "same")
    circuits.entangle("one", "three", "opposite")
    rounds = set()
    for _ in range(12):
        outcomes = circuits.measure("two").outcomes
        assert outcomes["one"] == outcomes["two"] != outcomes["three"]
        rounds.add(outcomes["one"])
        assert all(relation.spent for relation in home.store.relations.all())
        assert circuits.group("one") == ("one",)
        home.engine.upkeep.maintenance(renew=True)
        relations = home.store.relations.all()
        assert len(relations) == 2
        assert not any(relation.spent for relation in relations)
        assert set(circuits.group("one")) == {"one", "two", "three"}
    # Both outcomes came, so it was not one round that was told twelve times: 2^-11 else.
    assert rounds == {"running", "stopped"}


def test_status_has_every_pair_of_every_group(home):
    for name in ("one", "two", "three", "four", "five"):
        home.create(name, probability=0.2)
    for other in ("two", "three"):
        home.engine.circuits.entangle("one", other)
    home.engine.circuits.entangle("four", "five", "opposite")
    pairs = home.engine.views.status()["resources"]["resource_entanglement"]["pairs"]
    h = -0.2 * math.log2(0.2) - 0.8 * math.log2(0.8)
    # Of three that hold a copy each, any two share one h; the last two are pure together: twice.
    expected = {"one,two": h, "one,three": h, "two,three": h, "four,five": 2 * h}
    assert pairs == pytest.approx(expected)
    home.clock.advance(3.6e6 * 0.2)  # a fifth of T2
    weaker = home.engine.views.status()["resources"]["resource_entanglement"]["pairs"]
    for pair, bits in weaker.items():
        register = home.engine.circuits.register(pair.split(",")[0])
        ids = [home.record(name).id for name in pair.split(",")]
        assert bits == pytest.approx(mutual_information_bits(register, *ids))
        assert 0 < bits < pairs[pair]


def test_what_was_measured_is_not_told_of_a_register_that_was_prepared_again(home):
    home.create("web", probability=0.2)
    home.create("mirror")
    home.create("alone")
    home.engine.circuits.entangle("web", "mirror")
    for name in ("web", "alone"):
        home.engine.circuits.measure(name)
    assert all(home.record(name).measured is not None for name in ("web", "mirror", "alone"))
    home.engine.upkeep.maintenance()
    assert home.record("web").measured is not None
    home.engine.upkeep.maintenance(renew=True)
    assert [home.record(name).measured for name in ("web", "mirror", "alone")] == [None] * 3
