"""The trajectories backend: noisy shots on the state-vector kernel."""

from __future__ import annotations

import numpy as np

from qrealm.circuits import Circuit
from qrealm.circuits.segments import split_readout
from qrealm.simulate.backends.protocol import Found
from qrealm.simulate.backends.statevector.run import BACKEND as ENGINE
from qrealm.simulate.backends.trajectories.card import CARD
from qrealm.simulate.backends.trajectories.crew import walk_all
from qrealm.simulate.backends.trajectories.gather import Gathered, Reading
from qrealm.simulate.backends.trajectories.planning import plan_run
from qrealm.simulate.backends.trajectories.steps import Script, script
from qrealm.simulate.backends.trajectories.walk import Walker
from qrealm.simulate.execute import layout_of
from qrealm.simulate.plan.types import Precision
from qrealm.simulate.request import RunRequest


class TrajectoriesBackend:
    """Runs whole circuits."""

    card = CARD

    def run(self, circuit: Circuit, request: RunRequest) -> Found:
        """Run a bound circuit; see `WholeBackend.run`.

        Raises:
            TooLargeError: one state does not fit; nothing has been allocated.
        """
        planning = request.planning
        steps = script(circuit.num_qubits, circuit.segments())
        random = steps.splits or steps.events > 0
        precision = planning.precision or _precision(request, random)
        readings = len(request.observables) if request.sampled else 0
        divided, reserved = plan_run(steps, planning, precision, circuit.num_qubits, readings)
        plan, division = divided.plan, divided.division
        shots = max(1, planning.shots)
        layout = layout_of(circuit)
        _, errors = split_readout(circuit.instructions)
        gathered = Gathered(
            ENGINE,
            Reading(precision, steps.num_qubits, division.threads, request.seed),
            measures=steps.measures,
            counts=planning.shots > 0,
            observables=request.observables,
            sampled_shots=shots if request.sampled else 0,
            errors=errors,
            bit_of_qubit=layout.bit_of_qubit,
        )
        walker = Walker(steps, ENGINE, precision, request.seed, division.threads, gathered.visit)
        with reserved:
            for start in range(0, shots, division.batch):
                numbers = np.arange(start, min(start + division.batch, shots), dtype=np.uint64)
                walk_all(walker.walk, walker.first(numbers), division.workers)
        outcomes, draws = gathered.outcomes()
        values, spread = gathered.averages(random)
        return Found(
            plan,
            layout,
            outcomes,
            draws,
            values,
            spread,
            branches=gathered.leaves,
            details=_told(steps, gathered.leaves, division.workers),
        )


def _precision(request: RunRequest, random: bool) -> Precision:
    """Averages over shots are far less exact than single precision."""
    return Precision.DOUBLE if request.wants.values and not random else Precision.SINGLE


def _told(steps: Script, leaves: int, workers: int) -> dict[str, object]:
    return {
        "trajectories": {
            "distinct": leaves,
            "expected_events_per_shot": round(steps.events, 6),
            "workers": workers,
        }
    }


BACKEND = TrajectoriesBackend()
