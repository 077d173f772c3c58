"""Probabilistic error cancellation: the inverse of every noise channel, by sampling signed circuits."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from qrealm.base import cancel
from qrealm.circuits import Circuit, PauliSum
from qrealm.circuits.noise import NoiseModel
from qrealm.circuits.operations import CHANNEL, READOUT, Instruction
from qrealm.circuits.transform import rebuilt
from qrealm.protect.measuring import (
    Question,
    Runner,
    answer,
    checked_count,
    estimate,
    observable_of,
    plain,
    questions,
    runner_for,
)
from qrealm.protect.outcome import Mitigated
from qrealm.protect.quasi import inverse_of
from qrealm.protect.readout import ReadoutCorrection
from qrealm.simulate.request import check_seed


def probabilistic_error_cancellation(
    circuit: Any,
    observable: PauliSum | str,
    noise: NoiseModel,
    *,
    circuits: int = 1000,
    shots_per_circuit: int = 100,
    shots: int = 10_000,
    seed: int = 0,
    backend: str | None = None,
    runner: Runner | None = None,
    correction: ReadoutCorrection | None = None,
    **options: Any,
) -> Mitigated:
    """An expectation value with the noise of every gate undone on average.

    After every channel of the noise model one operation is drawn from the channel's inverse, which is a
    mixture with negative weights; the circuit's sign is the product of theirs, and the mean of sign times
    value is unbiased (K. Temme, S. Bravyi and J. Gambetta, arXiv:1612.02058; S. Endo, S. Benjamin and Y. Li,
    arXiv:1712.09271). The operations drawn are taken to be free of noise themselves, as one-qubit gates
    nearly are. Readout errors are not undone: see `readout_corrected`.

    Args:
        circuit, observable, noise, seed, backend, options: as for `zero_noise_extrapolation`.
        circuits: how many are drawn; equal ones run once.
        shots_per_circuit: in every measured basis of every drawn circuit.
        shots: of the plain noisy estimate beside it.
        runner: runs circuits elsewhere, (circuit, shots, seed) -> counts; `noise` then says what to undo.
        correction: undoes the detector's errors.

    Raises:
        ChannelError: a channel that cannot be undone.
        RequestError: fewer than 2 circuits, or a circuit that decides half-way.
    """
    circuits = checked_count(circuits, "circuits", 2)
    shots_per_circuit = checked_count(shots_per_circuit, "shots_per_circuit")
    body = plain(circuit)
    asked = observable_of(observable, body)
    first, second = np.random.SeedSequence(check_seed(seed)).generate_state(2, np.uint64).tolist()
    run_noisy = runner or runner_for(noise, backend, options)
    bare, taken = estimate(body, asked, checked_count(shots, "shots"), first, run_noisy)
    # Simulated, its noise is in it already; elsewhere the machine adds its own.
    run_mended = runner or runner_for(None, backend, options)
    generator = np.random.default_rng(second)
    bases, constant = questions(body, asked)
    value, variance, most, distinct = constant, 0.0, 1.0, 0
    for question in bases:
        sampled = _Sampled(question, noise, circuits, generator, runner is None)
        mean, spread = sampled.estimate(shots_per_circuit, generator, run_mended, correction)
        value += mean
        variance += spread
        most = max(most, sampled.gamma)
        distinct += len(sampled.drawn)
        taken += circuits * shots_per_circuit
    return Mitigated(
        value=value,
        standard_error=math.sqrt(variance),
        unmitigated=bare.value,
        unmitigated_error=bare.standard_error,
        method="probabilistic error cancellation",
        shots=taken,
        overhead=most**2,
        details={"gamma": most, "circuits": circuits * len(bases), "distinct_circuits": distinct},
    )


class _Sampled:
    """The signed circuits drawn for one question.

    Attributes:
        gamma: product of the inverses' gammas.
        drawn: how often each choice of operations was drawn, one index for every channel.
    """

    def __init__(
        self,
        question: Question,
        noise: NoiseModel,
        circuits: int,
        generator: np.random.Generator,
        simulated: bool,
    ) -> None:
        self._simulated = simulated
        self._question = question
        self._noisy = noise.apply(question.circuit)
        self._inverses = [inverse_of(args[0]) for op, _, args in self._noisy if op is CHANNEL]
        self._circuits = circuits
        self.gamma = math.prod(inverse.gamma for inverse in self._inverses)
        columns = [
            generator.choice(len(inverse.weights), size=circuits, p=np.abs(inverse.weights) / inverse.gamma)
            for inverse in self._inverses
        ]
        rows = np.array(columns).T.tolist() if columns else [()] * circuits
        self.drawn = Counter(tuple(row) for row in rows)

    def estimate(
        self,
        shots: int,
        generator: np.random.Generator,
        run_one: Runner,
        correction: ReadoutCorrection | None,
    ) -> tuple[float, float]:
        """(mean, its variance): the spread among circuits, and that of each one's shots."""
        total = squares = within = 0.0
        for choice, count in self.drawn.items():
            cancel.check()
            found = answer(
                self._question,
                run_one(self._mended(choice), count * shots, int(generator.integers(1 << 62))),
                correction,
            )
            signed = self._sign(choice) * found.value
            total += count * signed
            squares += count * signed**2
            within += count * count * found.standard_error**2
        mean = total / self._circuits
        between = max(0.0, squares / self._circuits - mean**2) / (self._circuits - 1)
        return self.gamma * mean, self.gamma**2 * (between + within / self._circuits**2)

    def _sign(self, choice: tuple[int, ...]) -> float:
        return math.prod(
            math.copysign(1.0, inverse.weights[index])
            for inverse, index in zip(self._inverses, choice, strict=True)
        )

    def _mended(self, choice: tuple[int, ...]) -> Circuit:
        """The noisy circuit with one operation of the inverse after every channel."""
        sites = iter(zip(self._inverses, choice, strict=True))
        instructions: list[Instruction] = []
        for instruction in self._noisy:
            if self._simulated or instruction[0] not in (CHANNEL, READOUT):
                instructions.append(instruction)
            if instruction[0] is CHANNEL:
                inverse, index = next(sites)
                for step, qubit in zip(inverse.steps[index], instruction[1], strict=True):
                    instructions += step.on(qubit)
        return rebuilt(self._noisy, instructions)
