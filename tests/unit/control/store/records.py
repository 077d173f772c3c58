"""Records of every kind, drawn from their types, and handy single ones."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from qrealm.control.containers.values import (
    CandidateRecord,
    ContainerRecord,
    DecisionRecord,
    EventRecord,
    Member,
    MessageRecord,
    NodeRecord,
    NodeState,
    Phase,
    QuantumSpec,
    Register,
    Relation,
    Wanted,
)
from qrealm.fleet.containers.protocol import ContainerSpec, Endpoint
from qrealm.simulate.sparse_density import SparseDensity

# JSON's own values; a message's header is declared as Any.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
messages = st.builds(MessageRecord, header=st.dictionaries(st.text(), json_values, max_size=3))
# NaN is unequal to itself; `test_json_codec` has it alone.
st.register_type_strategy(float, st.floats(allow_nan=False))
RECORDS = (
    st.from_type(ContainerRecord)
    | st.from_type(NodeRecord)
    | st.from_type(Relation)
    | st.from_type(EventRecord)
    | st.from_type(DecisionRecord)
    | messages
)


def container(number: int, name: str = "", cluster: str | None = None, at: float = 0.0) -> ContainerRecord:
    """A container whose id ends with its number."""
    name = name or f"web-{number}"
    return ContainerRecord(
        id=f"{number:064x}",
        name=name,
        spec=ContainerSpec(name, "nginx:1.27"),
        quantum=QuantumSpec(),
        node="a",
        engine_id=None,
        phase=Phase.CREATING,
        wanted=Wanted.STOPPED,
        created_at=at or float(number),
        cluster=cluster,
    )


def node(name: str, at: float = 0.0) -> NodeRecord:
    """A node of a simulated engine."""
    endpoint = Endpoint("simulated", "simulated://local")
    return NodeRecord(name, endpoint, "simulated", 4.0, 1 << 32, NodeState.READY, True, added_at=at)


def register(*numbers: int, seed: int = 0) -> Register:
    """A register of these containers in a random state, two states each."""
    rng = np.random.default_rng(seed)
    dim = 2 ** len(numbers)
    rows, cols = (index.ravel().astype(np.uint32) for index in np.indices((dim, dim)))
    amplitudes = rng.normal(size=dim) + 1j * rng.normal(size=dim)
    amplitudes /= np.linalg.norm(amplitudes)
    values = np.outer(amplitudes, amplitudes.conj()).ravel()
    members = tuple(Member(f"{number:064x}", 2, 0.3) for number in numbers)
    return Register(members, SparseDensity(len(numbers), rows, cols, values), 12.5, 11.25)


def same_register(left: Register, right: Register) -> bool:
    """Whether two registers are the same to the last bit."""
    pairs = ((getattr(left.density, n), getattr(right.density, n)) for n in ("rows", "cols", "values"))
    return (left.members, left.time, left.prepared_at, left.num_qubits) == (
        right.members,
        right.time,
        right.prepared_at,
        right.num_qubits,
    ) and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def decision(name: str, at: float = 0.0) -> DecisionRecord:
    """A decision about the container of this name."""
    candidates = (CandidateRecord("a", 0.1, {"load": 0.1}), CandidateRecord("b", 0.4, {"load": 0.4}))
    return DecisionRecord(0, at, name, "create", "portfolio", "a", None, candidates, {"c": "full"}, "light")


def message(number: int, receiver: str = "b") -> MessageRecord:
    """A message that nobody has read."""
    header = {"v": 1, "parts": [1, None, "x"]}
    return MessageRecord(f"{number:032x}", "a", receiver, "note", b"\0\xff", header, 0.0, False, 256, 1.0)
