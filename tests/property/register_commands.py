"""Commands about registers, relations and messages, each with what the model says of its answer."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.property.container_model import names, state_of
from tests.property.container_quantum import CLOSE

from qrealm.base.errors import MessageRefusalError, NoSuchContainerError, RegisterError
from qrealm.control.containers.values import MODES

ROTATIONS = ("RX", "RY", "RZ")


class RegisterCommands:
    """Rules of the state machine; `self` has the model."""

    @rule(number=names)
    def measure(self, number):
        name = self.named(number)
        report = self.refused(self.unknown(name), lambda: self.engine.circuits.measure(name))
        if report is not None:
            self.collapse(report)

    @rule(
        number=names,
        gate=st.sampled_from(("X", "Z", "H", *ROTATIONS)),
        angle=st.sampled_from((0.3, 1.1, -2.0)),
        qubit=st.sampled_from((0, 0, None, 1, 2)),
    )
    def apply_gate(self, number, gate, angle, qubit):
        name, angle = self.named(number), angle if gate in ROTATIONS else None
        refusal = self.unknown(name)
        if refusal is None and self.quantum.refuses_gate([name], qubit):
            refusal = RegisterError
        circuits = self.engine.circuits
        report = self.refused(refusal, lambda: circuits.apply_gate(gate.lower(), [name], angle, qubit))
        if report is not None:
            self.quantum.turn(gate, name, angle, qubit)
            self.tells(report.probabilities, name)

    @rule(
        one=names,
        other=names,
        gate=st.sampled_from(("CX", "CX", "CZ")),
        qubit=st.sampled_from((0, 0, None, 1)),
    )
    def apply_controlled(self, one, other, gate, qubit):
        one, other = self.named(one), self.named(other)
        refusal = self.unknown(one, other)
        if refusal is None and self.quantum.refuses_gate([one, other], qubit):
            refusal = RegisterError
        circuits = self.engine.circuits
        report = self.refused(refusal, lambda: circuits.apply_gate(gate, [one, other], qubit=qubit))
        if report is not None:
            self.quantum.control(gate, one, other, qubit)
            self.tells(report.probabilities, one, other)

    def tells(self, probabilities, *asked):
        for name in asked:
            odds = self.quantum.group(name).odds(name)
            for index, share in enumerate(odds):
                told = probabilities[name].get(state_of(self.containers[name].states, index), 0.0)
                assert told == pytest.approx(share, abs=CLOSE)

    @rule(one=names, other=names, mode=st.sampled_from(MODES), like=st.sampled_from((True, True, False)))
    def entangle(self, one, other, mode, like):
        one, number = self.named(one), other
        other = self.like(one, number) if like and one in self.containers else self.named(number)
        refusal = self.unknown(one, other)
        if refusal is None and self.quantum.refuses_entangling(one, other, mode):
            refusal = RegisterError
        report = self.refused(refusal, lambda: self.engine.circuits.entangle(one, other, mode))
        if report is None:
            return
        already = self.quantum.entangle(one, other, mode, self.ties(), report.already)
        assert report.already is already
        group = self.quantum.now(self.quantum.group(one))
        assert (set(report.group), report.num_qubits) == (set(group.names), group.qubits)
        both = group.without([name for name in group.names if name not in (one, other)])
        shares = both.diagonal if both.names[0] == one else both.diagonal.T
        states = self.containers[one].states
        for first, row in enumerate(shares):
            for second, share in enumerate(row):
                key = f"{state_of(states, first)},{state_of(states, second)}"
                assert report.probabilities.get(key, 0.0) == pytest.approx(share, abs=CLOSE)

    @rule(numbers=st.lists(names, min_size=1, max_size=3))
    def disentangle(self, numbers):
        asked = [self.named(number) for number in numbers]
        refusal = self.unknown(*asked)
        if refusal is None and self.quantum.refuses_disentangling(asked):
            refusal = RegisterError
        report = self.refused(refusal, lambda: self.engine.circuits.disentangle(asked))
        if report is not None:
            told = {(each.first, each.second, each.mode, each.spent) for each in report.ended}
            ended = self.quantum.disentangle(asked)
            assert told == {(tie.first, tie.second, tie.mode, tie.spent) for tie in ended}

    @rule(renew=st.booleans())
    def maintenance(self, renew):
        report = self.engine.upkeep.maintenance(renew=renew)
        assert not report.problems
        assert not report.adopted
        self.quantum.maintain(report.prepared_again, self.ties(), renew)
        self.placed(placing=True)

    @rule(number=names)
    def inspect(self, number):
        name = self.named(number)
        view = self.refused(self.unknown(name), lambda: self.engine.views.inspect(name))
        if view is not None:
            group = self.quantum.now(self.quantum.group(name))
            assert set(view.group) == set(group.names)
            assert view.purity == pytest.approx(group.purity(), abs=CLOSE)
            told = {(each.other, each.mode, each.follows, each.spent): each.holds for each in view.relations}
            assert len(told) == len(view.relations)
            ties = [tie for tie in self.quantum.ties if name in (tie.first, tie.second)]
            assert told == {
                (tie.first if tie.second == name else tie.second, tie.mode, tie.second == name, tie.spent):
                pytest.approx(self.quantum.holds(tie), abs=CLOSE)
                for tie in ties
            }  # fmt: skip

    # Messages.

    @rule(
        sender=names,
        receiver=names,
        data=st.sampled_from((None, [1, "two"], {"ü": 0.5})),
        tapped=st.sampled_from((False, False, True)),
        near=st.sampled_from((True, True, False)),
    )
    def send_message(self, sender, receiver, data, tapped, near):
        sender, number = self.named(sender), receiver
        receiver = self.named(number)
        if near and sender in self.containers:
            group = sorted(self.quantum.group(sender).names)
            receiver = group[(group.index(sender) + 1 + number) % len(group)]
        refusal: type[Exception] | None = self.unknown(sender, receiver)
        if refusal is None:
            apart = sender == receiver or receiver not in self.quantum.group(sender).names
            refusal = MessageRefusalError if apart or tapped else None
        share = 1.0 if tapped else 0.0
        messages = self.engine.messages
        report = self.refused(
            refusal, lambda: messages.send(sender, receiver, "note", data, intercept_share=share)
        )
        if report is not None:
            assert not report.message.listened
            self.messages.setdefault(receiver, []).append([sender, data, False])

    @rule(number=names, unread_only=st.booleans(), mark=st.booleans())
    def read_messages(self, number, unread_only, mark):
        name = self.named(number)
        messages = self.engine.messages
        found = self.refused(
            self.unknown(name) and NoSuchContainerError,
            lambda: messages.read(name, unread_only=unread_only, mark=mark),
        )
        if found is not None:
            assert not any(message.damaged for message in found)
            there = [each for each in self.messages.get(name, []) if not (unread_only and each[2])]
            assert [[each.sender, each.data, each.read_before] for each in found] == there
            for each in there:
                each[2] = each[2] or mark
