"""Registers: preparation, decay, gates, measurement, what they tell, and the form that the store keeps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrealm.base.errors import NoSuchContainerError, RegisterError, RequestError
from qrealm.circuits.gates import find_gate
from qrealm.control.containers import registers as rg
from qrealm.control.containers.registers.decaying import relaxations
from qrealm.control.containers.registers.places import qubits_by_member
from qrealm.control.containers.values import Member, QuantumSpec, Relation
from qrealm.control.store.register_codec import from_bytes, to_bytes
from qrealm.simulate.sparse_density import to_dense
from qrealm.simulate.sparse_density_relaxed import entries_when_changed
from qrealm.simulate.sparse_density_steps import Operators
from reference.dense import DenseSimulator
from reference.density import DensitySimulator

OURS = rg.find_simulator("qrealm")
PAIR = [Relation("a", "b", "same")]
PROBABILITIES = st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0])


def bell(p=0.5, mode="same", k=2):
    first, second = (rg.prepare(Member(name, k, p), 0.0, OURS) for name in "ab")
    return rg.entangle([first, second], (), "a", "b", mode, 0.0, 16, OURS).register


@pytest.mark.parametrize("k, p", [(2, 0.5), (2, 0.2), (3, 0.4), (5, 0.0), (8, 1.0), (200, 0.3)])
def test_a_fresh_container_is_the_declared_superposition(k, p):
    register = rg.prepare(Member("a", k, p), 12.0, OURS)
    assert register.num_qubits == math.ceil(math.log2(k))
    chances = rg.probabilities(register, "a")
    assert chances[0] == pytest.approx(p)
    assert chances[1:k] == pytest.approx(np.full(k - 1, (1 - p) / (k - 1)))
    assert not chances[k:].any()
    assert rg.purity(register) == pytest.approx(1)
    entropy = -sum(x * math.log2(x) for x in chances if x)
    assert rg.coherence_bits(register) == pytest.approx(entropy, abs=1e-9)
    assert (register.time, register.prepared_at) == (12.0, 12.0)


@pytest.mark.parametrize("member", [Member("a", 1, 0.5), Member("a", 2, -0.1), Member("a", 2, math.nan)])
def test_members_that_cannot_be(member):
    with pytest.raises(RegisterError, match="the rule is"):
        rg.prepare(member, 0.0, OURS)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(2, 5), PROBABILITIES), min_size=1, max_size=3), st.data())
def test_the_circuit_prepares_what_the_register_has(shapes, data):
    """A tree of three relations over containers of equal size, beside containers alone."""
    k = shapes[0][0]
    members = [Member(f"m{i}", k, p) for i, (_, p) in enumerate(shapes)]
    relations = []
    for i in range(1, len(members)):
        mode = data.draw(st.sampled_from(["same", "opposite", "spread", "none"]))
        leader = data.draw(st.integers(0, i - 1))
        shift = data.draw(st.integers(0, k - 1)) if mode == "spread" else 0
        if mode != "none":
            relations.append(Relation(f"m{leader}", f"m{i}", mode, shift))
    register = rg.prepare_group(members, relations, 0.0)
    state = DenseSimulator.run(rg.preparation_circuit(members, relations).packed()).state
    np.testing.assert_allclose(to_dense(register.density), np.outer(state, state.conj()), atol=1e-12)
    assert rg.fresh_fidelity(register, relations) == pytest.approx(1)


def test_the_circuit_runs_on_a_backend():
    from qrealm import run

    members = [Member("a", 3, 0.2), Member("b", 3, 0.2), Member("c", 2, 0.7)]
    relations = [Relation("a", "b", "spread", 1)]
    circuit = rg.preparation_circuit(members, relations).measure_all()
    shots = 20_000
    counts = run(circuit, shots=shots, seed=5).counts
    # a, b = (0, 1), (1, 2) or (2, 0); c in qubit 4.
    for a, b, chance in ((0, 1, 0.2), (1, 2, 0.4), (2, 0, 0.4)):
        for c, share in ((0, 0.7), (1, 0.3)):
            expected = chance * share
            seen = counts.get(f"{c | 0:b}{b:02b}{a:02b}", 0) / shots
            assert abs(seen - expected) < 5 * math.sqrt(expected * (1 - expected) / shots)
    assert sum(counts.values()) == shots


# ---- decay ---------------------------------------------------------------------------------------------


def test_decay_of_two_states_is_thermal_relaxation():
    p, t, t1, t2 = 0.2, 0.6, 2.0, 1.0
    register = rg.apply_gate([rg.prepare(Member("a", 2, p), 0.0, OURS)], "x", [("a", 0)], None, 0.0, 16, OURS)
    found = to_dense(rg.decayed(register, t, t1, t2, OURS).density)
    kept = math.exp(-t / t1)
    assert found[0, 0] == pytest.approx(p + (1 - 2 * p) * kept)
    assert found[0, 1] == pytest.approx(math.sqrt(p * (1 - p)) * math.exp(-t / t2))


@settings(max_examples=40)
@given(
    st.integers(2, 5),
    PROBABILITIES,
    st.floats(0, 5),
    st.floats(0, 5),
    st.floats(0.1, 10),
    st.floats(0.05, 1.0),
)
def test_decay_is_a_semigroup_of_states(k, p, early, late, t1, share):
    members = [Member("a", k, p), Member("b", k, 0.3)]
    register = rg.prepare_group(members, [Relation("a", "b", "opposite")], 100.0)
    register = rg.apply_gate([register], "ry", [("b", None)], 0.8, 100.0, 16, OURS)
    half = rg.decayed(register, 100.0 + early, t1, share * t1, OURS)
    twice = rg.decayed(half, half.time + late, t1, share * t1, OURS)
    once = rg.decayed(register, half.time + late, t1, share * t1, OURS)
    np.testing.assert_allclose(to_dense(twice.density), to_dense(once.density), atol=1e-12)
    for each in (half, twice):
        matrix = to_dense(each.density)
        assert np.trace(matrix) == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(matrix, matrix.conj().T, atol=1e-14)
        assert np.linalg.eigvalsh(matrix).min() > -1e-13


def test_decay_agrees_with_the_reference():
    members = [Member("a", 3, 0.5), Member("b", 3, 0.2)]
    register = rg.prepare_group(members, [Relation("a", "b", "spread", 2)], 0.0)
    reference = DensitySimulator(4)
    reference.rho = to_dense(register.density)
    a, b = math.exp(-0.4 / 2), math.exp(-0.4 / 1.5)
    unit = np.eye(4)
    for qubits, pi in (((0, 1), (0.5, 0.25, 0.25, 0)), ((2, 3), (0.2, 0.4, 0.4, 0))):
        kraus = [math.sqrt(b) * unit]
        kraus += [math.sqrt(a - b) * np.outer(unit[i], unit[i]) for i in range(4)]
        kraus += [math.sqrt((1 - a) * pi[j]) * np.outer(unit[j], unit[i]) for i in range(4) for j in range(4)]
        reference.kraus(kraus, qubits)
    found = rg.decayed(register, 0.4, 2.0, 1.5, OURS)
    np.testing.assert_allclose(to_dense(found.density), reference.rho, atol=1e-14)


def test_everything_relaxes_to_what_was_declared_and_undeclared_states_go():
    register = rg.prepare(Member("a", 3, 0.5), 0.0, OURS)
    register = rg.apply_gate([register], "x", [("a", None)], None, 0.0, 16, OURS)
    assert rg.probabilities(register, "a")[3] == pytest.approx(0.5)
    end = rg.decayed(register, 200.0, 1.0, 1.0, OURS)
    assert rg.probabilities(end, "a") == pytest.approx([0.5, 0.25, 0.25, 0.0], abs=1e-12)
    assert rg.coherence_bits(end) == pytest.approx(0, abs=1e-9)
    assert rg.coherence_share(register, end, ()) == pytest.approx(0, abs=1e-9)


def test_a_clock_that_was_set_back_counts_as_no_time():
    register = rg.prepare(Member("a", 2, 0.5), 100.0, OURS)
    back = rg.decayed(register, 40.0, 2.0, 1.0, OURS)
    assert back.time == 40.0
    np.testing.assert_array_equal(to_dense(back.density), to_dense(register.density))
    later = rg.decayed(back, 41.0, 2.0, 1.0, OURS)
    assert to_dense(later.density)[0, 1] == pytest.approx(0.5 * math.exp(-1))


@pytest.mark.parametrize("t1, t2", [(1.0, 1.1), (1.0, 0.0), (math.nan, 1.0), (1.0, -1.0)])
def test_times_that_cannot_be(t1, t2):
    with pytest.raises(RegisterError, match="decoherence_time_ms"):
        rg.decayed(bell(), 1.0, t1, t2, OURS)


def test_infinite_times_keep_everything():
    found = rg.decayed(bell(0.3), 1e6, math.inf, math.inf, OURS)
    np.testing.assert_allclose(to_dense(found.density), to_dense(bell(0.3).density), atol=1e-15)


# ---- gates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gate", ["x", "Y", "z", "h", "S", "t", "RX", "ry", "rz", "sx"])
@pytest.mark.parametrize("qubit", [0, 1, 2, None])
def test_gates_agree_with_the_reference(gate, qubit):
    from qrealm import Circuit

    angle = 0.7 if gate.lower().startswith("r") else None
    members = [Member("a", 2, 0.3), Member("b", 5, 0.2)]
    register = rg.prepare_group(members, (), 0.0)
    found = rg.apply_gate([register], gate, [("b", qubit)], angle, 1.0, 16, OURS)
    circuit = Circuit(4)
    for wire in (1, 2, 3) if qubit is None else (1 + qubit,):
        circuit.append(gate, (wire,), () if angle is None else (angle,))
    reference = DensitySimulator(4)
    reference.rho = to_dense(register.density)
    reference.gates(circuit.packed())
    np.testing.assert_allclose(to_dense(found.density), reference.rho, atol=1e-14)
    assert rg.purity(found) == pytest.approx(1)
    assert rg.coherence_share(found, found, ()) == pytest.approx(1)


@settings(max_examples=60)
@given(st.data())
def test_what_a_change_will_come_to_is_known_before(data):
    """Never less than what comes, however long it decays before and afterwards."""
    k = data.draw(st.integers(2, 4))
    members = [Member(name, k, data.draw(st.sampled_from([0.0, 0.3, 1.0]))) for name in "abc"]
    relations = [Relation("a", "b", data.draw(st.sampled_from(["same", "opposite", "spread"])), 1)]
    assert rg.fresh_entries(members, relations) == rg.entries_to_come(
        rg.prepare_group(members, relations, 0.0)
    )
    register = rg.prepare_group(members, relations, 0.0)
    for step in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            register = rg.decayed(register, step + 0.5, 2.0, 1.0, OURS)
        gate = data.draw(st.sampled_from(["x", "h", "ry", "cx", "t"]))
        targets = data.draw(st.lists(st.sampled_from("abc"), min_size=2, max_size=2, unique=True))
        angle = 0.4 if gate == "ry" else None
        wires = [(name, 0) for name in targets[: 2 if gate == "cx" else 1]]
        told = foreseen(register, gate, wires, angle)
        register = rg.apply_gate([register], gate, wires, angle, step + 0.5, 16, OURS)
        for seconds in (0.0, 0.5, 30.0):
            later = rg.decayed(register, step + 0.5 + seconds, 2.0, 1.0, OURS)
            assert len(later.density.values) <= told
        assert rg.entries_to_come(register) <= told


def foreseen(register, gate, wires, angle):
    """What `apply_gate` counts before it computes anything."""
    row = find_gate(gate)
    matrix = np.asarray(row.full_matrix(() if angle is None else (angle,)), dtype=np.complex128)
    places = qubits_by_member(register.members)
    change = [Operators((matrix,), tuple(places[name][qubit] for name, qubit in wires))]
    steps = relaxations(register, register.time, 1.0, 1.0)
    return entries_when_changed([(register.density, steps)], change)


@pytest.mark.parametrize("turned", [0, 1, 2, 3])
def test_what_is_told_before_is_no_more_than_what_comes(turned):
    members = [Member(name, 2, 0.4) for name in "abcdefg"]
    register = rg.prepare_group(members, [Relation("a", each, "same") for each in "bcdefg"], 0.0)
    for name in "abcdefg"[:turned]:
        register = rg.apply_gate([register], "ry", [(name, 0)], 0.4, 0.0, 16, OURS)
    told = foreseen(register, "ry", [("g", 0)], 0.4)
    register = rg.decayed(register, 0.3, 2.0, 1.0, OURS)
    register = rg.apply_gate([register], "ry", [("g", 0)], 0.4, 0.3, 16, OURS)
    assert len(rg.decayed(register, 0.6, 2.0, 1.0, OURS).density.values) == told


@pytest.mark.parametrize("angle", ["1", True, 10**400, math.nan, math.inf, [0.5], 1j])
def test_what_is_no_angle_is_refused_with_the_rule(angle):
    register = rg.prepare(Member("a", 2, 0.5), 0.0, OURS)
    with pytest.raises(RegisterError, match=r"gate ry got the angle .*; the rule is a finite number"):
        rg.apply_gate([register], "RY", [("a", 0)], angle, 0.0, 16, OURS)


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"states": "running"}, "states 'running'; the rule is a tuple"),
        ({"states": 2}, "states 2"),
        ({"states": ("on", 1)}, "state 1"),
        ({"probability": "x"}, "probability 'x'; the rule is a number"),
        ({"probability": True}, "probability True"),
        ({"weight": None}, "weight None"),
    ],
)
def test_what_makes_no_register_is_refused_with_the_rule(fields, said):
    with pytest.raises(RequestError, match=said):
        QuantumSpec(**fields)


def test_cx_joins_registers_and_makes_a_bell_pair():
    a = rg.prepare(Member("a", 2, 0.5), 3.0, OURS)
    b = rg.prepare(Member("b", 2, 1.0), 5.0, OURS)
    found = rg.apply_gate([a, b], "CX", [("a", 0), ("b", 0)], None, 6.0, 16, OURS)
    assert [m.container for m in found.members] == ["a", "b"]
    assert rg.joint_probabilities(found, ["a", "b"]) == pytest.approx({(0, 0): 0.5, (1, 1): 0.5})
    assert rg.mutual_information_bits(found, "a", "b") == pytest.approx(2)
    assert (found.time, found.prepared_at) == (6.0, 3.0)
    # The control is the first of the targets, wherever the containers lie.
    turned = rg.apply_gate([b, a], "cx", [("a", 0), ("b", 0)], None, 6.0, 16, OURS)
    assert rg.joint_probabilities(turned, ["a", "b"]) == pytest.approx({(0, 0): 0.5, (1, 1): 0.5})
    inside = rg.prepare(Member("c", 4, 0.0), 0.0, OURS)
    inside = rg.apply_gate([inside], "swap", [("c", 0), ("c", 1)], None, 0.0, 16, OURS)
    assert rg.probabilities(inside, "c") == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize(
    "gate, targets, angle, words",
    [
        ("nonsense", [("a", 0)], None, "no gate called"),
        ("u", [("a", 0)], None, "at most one angle"),
        ("ccx", [("a", 0), ("a", 1), ("b", 0)], None, "one or two qubits"),
        ("unitary", [("a", 0)], None, "cannot be applied"),
        ("ry", [("a", 0)], None, "needs an angle"),
        ("ry", [("a", 0)], math.nan, "finite"),
        ("ry", [("a", 0)], math.inf, "finite"),
        ("x", [("a", 0)], 0.1, "takes no angle"),
        ("x", [("a", 2)], None, "qubits 0 to 1"),
        ("x", [("a", -1)], None, "qubits 0 to 1"),
        ("x", [("a", 0), ("b", 0)], None, "one target for each"),
        ("cx", [("a", 0)], None, "one target for each"),
        ("cx", [("a", 0), ("a", 0)], None, "same qubit twice"),
        ("cx", [("a", None), ("b", 0)], None, "all 2 qubits"),
    ],
)
def test_gates_that_cannot_be(gate, targets, angle, words):
    registers = [rg.prepare(Member("a", 3, 0.5), 0.0, OURS), rg.prepare(Member("b", 2, 0.5), 0.0, OURS)]
    with pytest.raises(RegisterError, match=words):
        rg.apply_gate(registers, gate, targets, angle, 0.0, 16, OURS)


def test_a_gate_joins_no_group_over_the_limit():
    registers = [rg.prepare(Member("a", 3, 0.5), 0.0, OURS), rg.prepare(Member("b", 2, 0.5), 0.0, OURS)]
    with pytest.raises(RegisterError, match=r"a group of 2 \+ 1 = 3 qubits; a group may have 2"):
        rg.apply_gate(registers, "cx", [("a", 0), ("b", 0)], None, 0.0, 2, OURS)
    assert rg.apply_gate(registers, "cx", [("a", 0), ("b", 0)], None, 0.0, 3, OURS).num_qubits == 3


def test_a_container_that_is_not_there():
    with pytest.raises(NoSuchContainerError):
        rg.apply_gate([bell()], "x", [("z", 0)], None, 0.0, 16, OURS)
    with pytest.raises(NoSuchContainerError):
        rg.without(bell(), "z")


# ---- measurement ---------------------------------------------------------------------------------------


def test_measurement_draws_joint_outcomes_with_their_probabilities():
    """Within 5 standard deviations of the binomial distribution for each joint outcome."""
    register = rg.prepare_group(
        [Member("a", 3, 0.2), Member("b", 3, 0.5)], [Relation("a", "b", "spread", 1)], 0.0
    )
    register = rg.decayed(register, 0.3, 2.0, 1.0, OURS)
    expected = rg.joint_probabilities(register, ["a", "b"])
    assert len(expected) == 9
    rng, shots = np.random.default_rng(11), 20_000
    seen = dict.fromkeys(expected, 0)
    for _ in range(shots):
        found = rg.measure(register, rng, 0.3)
        outcome = (found.outcomes["a"], found.outcomes["b"])
        seen[outcome] += 1
        assert found.probability == pytest.approx(expected[outcome])
    for outcome, chance in expected.items():
        assert abs(seen[outcome] / shots - chance) < 5 * math.sqrt(chance * (1 - chance) / shots)


def test_measurement_collapses_the_whole_group_to_products():
    register = rg.prepare_group(
        [Member("a", 2, 0.5), Member("b", 2, 0.5), Member("c", 4, 0.1)],
        [Relation("a", "b", "opposite")],
        0.0,
    )
    found = rg.measure(register, np.random.default_rng(3), 9.0)
    assert found.outcomes["a"] == 1 - found.outcomes["b"]
    assert found.probability == pytest.approx(0.5 * (0.1 if found.outcomes["c"] == 0 else 0.3))
    for member, alone in zip(register.members, found.registers, strict=True):
        assert alone.members == (member,)
        assert (alone.time, alone.prepared_at) == (9.0, 9.0)
        assert rg.probabilities(alone, member.container)[found.outcomes[member.container]] == 1
        again = rg.measure(alone, np.random.default_rng(4), 9.0)
        assert again.outcomes == {member.container: found.outcomes[member.container]}
        assert again.probability == 1
        assert rg.coherence_share(alone, alone, ()) == pytest.approx(1)
    same = rg.measure(register, np.random.default_rng(3), 9.0)
    assert same.outcomes == found.outcomes


def test_removing_a_container_traces_it_out():
    register = rg.prepare_group(
        [Member("a", 2, 0.3), Member("b", 2, 0.5), Member("c", 3, 0.1)],
        [Relation("a", "b", "same"), Relation("a", "d", "same")],
        0.0,
    )
    left = rg.without(register, "a")
    assert left is not None
    assert [m.container for m in left.members] == ["b", "c"]
    matrix = to_dense(left.density).reshape(4, 2, 4, 2)
    # b alone is a mixture now; c is as it was.
    np.testing.assert_allclose(np.einsum("aiaj->ij", matrix), np.diag([0.3, 0.7]), atol=1e-14)
    assert rg.probabilities(left, "c") == pytest.approx([0.1, 0.45, 0.45, 0])
    assert rg.coherence_bits(left) == pytest.approx(1.3689955935892812)  # of c: H(0.1, 0.45, 0.45)
    alone = rg.without(left, "b")
    assert alone is not None
    assert rg.without(alone, "c") is None


# ---- what they tell ------------------------------------------------------------------------------------


def test_measures_of_a_decaying_pair():
    register = bell()
    assert rg.purity(register) == pytest.approx(1)
    assert rg.coherence_bits(register) == pytest.approx(1)
    assert rg.mutual_information_bits(register, "a", "b") == pytest.approx(2)
    assert rg.coherence_share(register, register, PAIR) == pytest.approx(1)
    later = rg.decayed(register, 1.0, math.inf, 1.0, OURS)  # T1 infinite: dephasing alone
    c = math.exp(-2.0)  # one factor for each of the two
    entropy = -sum(x * math.log2(x) for x in ((1 + c) / 2, (1 - c) / 2))
    assert rg.purity(later) == pytest.approx((1 + c * c) / 2)
    assert rg.coherence_bits(later) == pytest.approx(1 - entropy)
    assert rg.mutual_information_bits(later, "a", "b") == pytest.approx(2 - entropy)
    assert rg.fresh_fidelity(later, PAIR) == pytest.approx((1 + c) / 2)
    assert rg.coherence_share(register, later, PAIR) == pytest.approx(c * c)


def test_the_information_of_pairs_needs_no_decayed_register():
    members = [Member(name, k, 0.3) for name, k in (("a", 2), ("b", 2), ("c", 3), ("d", 3))]
    relations = [Relation("a", "b", "opposite"), Relation("c", "d", "spread", 1)]
    register = rg.prepare_group(members, relations, 0.0)
    for gate, targets in (("ry", ["a"]), ("cx", ["b", "c"]), ("rx", ["d"])):
        angle = None if gate == "cx" else 0.8
        register = rg.apply_gate([register], gate, [(t, 0) for t in targets], angle, 0.0, 16, OURS)
    found = rg.all_mutual_information_bits(register, 0.4, 2.0, 1.0)
    later = rg.decayed(register, 0.4, 2.0, 1.0, OURS)
    assert len(found) == 6
    for pair, bits in found.items():
        assert bits == pytest.approx(rg.mutual_information_bits(later, *pair), abs=1e-9)
    assert found["b", "c"] > 0.01


def test_fidelity_counts_only_what_keeps_the_relations():
    flat = rg.prepare_group([Member("a", 2, 0.5), Member("b", 2, 0.5)], (), 0.0)
    assert rg.fresh_fidelity(flat, ()) == pytest.approx(1)
    assert rg.fresh_fidelity(flat, [Relation("a", "b", "same")]) == pytest.approx(0.5)
    flipped = rg.apply_gate([bell(0.3)], "x", [("b", 0)], None, 0.0, 16, OURS)
    assert rg.fresh_fidelity(flipped, [Relation("a", "b", "same")]) == 0.0


def test_nothing_can_be_lost_where_nothing_is_uncertain():
    register = rg.prepare(Member("a", 2, 1.0), 0.0, OURS)
    assert rg.coherence_share(register, rg.decayed(register, 50.0, 1.0, 1.0, OURS), ()) == 1.0


@pytest.mark.parametrize("p", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("gate", [None, "x", "h", "ry"])
def test_coherence_that_is_gone_is_gone_whatever_the_odds_and_correlations(p, gate):
    """T1 infinite: only phases are lost, and the state stays as correlated as it was: C falls with e^(-4t/T2)
    where two containers have it together."""
    register = bell(p)
    if gate is not None:
        angle = 0.3 if gate == "ry" else None
        register = rg.apply_gate([register], gate, [("a", 0)], angle, 0.0, 16, OURS)
    assert rg.coherence_share(register, register, PAIR) == pytest.approx(1)
    gone = rg.decayed(register, 100.0, math.inf, 1.0, OURS)
    assert rg.coherence_bits(gone) == pytest.approx(0, abs=1e-9)
    assert rg.coherence_share(register, gone, PAIR) == pytest.approx(0, abs=1e-9)
    if gate in (None, "x"):
        later = rg.decayed(register, 0.1, math.inf, 1.0, OURS)
        assert rg.coherence_share(register, later, PAIR) == pytest.approx(math.exp(-0.4))


def test_a_gate_on_what_has_faded_makes_it_no_fresher():
    gone = rg.decayed(bell(0.9), 100.0, math.inf, 1.0, OURS)
    turned = rg.apply_gate([gone], "x", [("a", 0)], None, 100.0, 16, OURS)
    assert rg.coherence_share(turned, turned, PAIR) == pytest.approx(0, abs=1e-9)


def test_a_measured_container_is_left_alone_until_it_has_relaxed():
    """1 - tr ρ² of (1+a)/2, (1-a)/2 is (1 - a²)/2, of 1/2 at most: a² is left, with a = e^(-t/T1)."""
    found = rg.measure(bell(), np.random.default_rng(3), 0.0).registers[0]
    for seconds in (0.0, 0.01, 0.3, 2.0):
        later = rg.decayed(found, seconds, 1.0, 0.5, OURS)
        assert rg.coherence_share(found, later, ()) == pytest.approx(math.exp(-2 * seconds))


# ---- the store -----------------------------------------------------------------------------------------


def test_registers_come_back_from_bytes_bit_for_bit():
    register = rg.prepare_group(
        [Member("ab" * 32, 3, 0.2), Member("cd" * 32, 3, 0.2)],
        [Relation("ab" * 32, "cd" * 32, "opposite")],
        1_700_000_000.125,
    )
    register = rg.decayed(register, register.time + 0.1, 2.0, 1.0, OURS)
    back = from_bytes(to_bytes(register))
    assert back.members == register.members
    assert (back.time, back.prepared_at) == (register.time, register.prepared_at)
    assert back.density.num_qubits == 4
    for name in ("rows", "cols", "values"):
        ours, theirs = getattr(register.density, name), getattr(back.density, name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_a_register_of_sixteen_qubits_takes_little_room():
    members = [Member(f"{i:064x}", 2, 0.5) for i in range(16)]
    relations = [Relation(members[0].container, m.container, "same") for m in members[1:]]
    register = rg.decayed(rg.prepare_group(members, relations, 0.0), 0.5, 2.0, 1.0, OURS)
    assert len(register.density.values) == 2**16 + 2
    assert len(to_bytes(register)) < 200_000
