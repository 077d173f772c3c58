"""`SamplerV2`: Qiskit's sampler primitive on qrealm's backends."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.primitives import BaseSamplerV2, BitArray, DataBin, SamplerPubResult
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qrealm.circuits import Circuit
from qrealm.circuits.noise.model import NoiseModel
from qrealm.circuits.operations import MEASURE, contains
from qrealm.faces.providers.qiskit.backend import QrealmBackend
from qrealm.faces.providers.qiskit.jobs import QrealmPrimitiveJob
from qrealm.faces.providers.qiskit.narrow import read_narrow
from qrealm.faces.providers.qiskit.options import SamplerOptions, Seed, check_noise, seeds_from
from qrealm.faces.providers.qiskit.primitive import Primitive
from qrealm.faces.providers.qiskit.readout import Readout, packed
from qrealm.faces.providers.qiskit.rows import rows_of, run_rows, told_of
from qrealm.simulate.request import check_shots
from qrealm.simulate.results import Result


@dataclass(frozen=True, slots=True)
class _Work:
    """What a pub asks for, read already.

    Attributes:
        circuit: what is sampled.
        rows: a row of parameter values for each run, shape (R, P).
        shape: of the pub; its product is R.
        shots: of each run.
        places: for each register the classical bits in it, its bit 0 first.
        metadata: the circuit's own.
    """

    circuit: Circuit
    rows: NDArray[np.float64]
    shape: tuple[int, ...]
    shots: int
    places: Mapping[str, Sequence[int]]
    metadata: Any

    @classmethod
    def of(cls, pub: Any, noise: NoiseModel | None) -> _Work:
        source = pub.circuit
        circuit, _ = read_narrow(source, noise)
        places = {
            register.name: [source.find_bit(bit).index for bit in register] for register in source.cregs
        }
        return cls(circuit, rows_of(pub, circuit), pub.shape, check_shots(pub.shots), places, source.metadata)


class SamplerV2(Primitive[SamplerOptions], BaseSamplerV2):  # type: ignore[misc]
    """Samples the classical registers of circuits.

    A pub is a circuit, or ``(circuit, parameter values, shots)``, the values of any shape. For each register
    the result has a `BitArray` of the shape of the values. Measurements half-way, resets and conditions
    are allowed.

    Args:
        backend: ``"auto"``, another name of `qrealm.QuantumBackend`, or a `QrealmBackend`, whose options are
            then the defaults of the options here.
        default_shots, seed: the options of these names.
        options: `SamplerOptions`, or a dict of some of them.

    Raises:
        UnknownBackendError: there is no backend of this name.
        RequestError: an option is unknown.
    """

    def __init__(
        self,
        backend: str | QrealmBackend = "auto",
        *,
        default_shots: int | None = None,
        seed: Seed = None,
        options: SamplerOptions | Mapping[str, Any] | None = None,
    ) -> None:
        keywords = {"default_shots": default_shots, "seed": seed}
        super().__init__(backend, SamplerOptions(), "default_shots", options, keywords)

    def run(self, pubs: Iterable[Any], *, shots: int | None = None) -> QrealmPrimitiveJob:
        """Sample pubs in the background.

        Circuits are read before this returns: a later change of them changes nothing here.

        Args:
            pubs: what to sample; see the class.
            shots: of every pub that names none itself; `options.default_shots` when None.

        Returns:
            A job whose `result` has one `SamplerPubResult` for each pub.

        Raises:
            ValueError, TypeError: (Qiskit's) a pub is none.
            ReadError, CircuitError: a circuit cannot be run here.
        """
        chosen = self._options
        coerced = [SamplerPub.coerce(pub, chosen.default_shots if shots is None else shots) for pub in pubs]
        for index, pub in enumerate(coerced):
            if not pub.circuit.cregs:
                warnings.warn(
                    f"The {index}-th pub's circuit has no output classical registers and so the result "
                    "will be empty. Did you mean to add measurement instructions?",
                    UserWarning,
                    stacklevel=2,
                )
        noise = check_noise(chosen.noise)
        works = [_Work.of(pub, noise) for pub in coerced]
        return self._submitted(_sample_pub, works)


def _sample_pub(work: _Work, seed: int, arguments: Mapping[str, Any]) -> Any:
    circuit, places, shots = work.circuit, work.places, work.shots
    arrays = {
        name: np.zeros((len(work.rows), shots, -(-len(positions) // 8)), dtype=np.uint8)
        for name, positions in places.items()
    }
    found: list[Result] = []
    if contains(circuit.instructions, MEASURE):  # else all bits stay 0
        found = run_rows(circuit, work.rows, seed=seed, shots=shots, **arguments)
        order_seeds = seeds_from(seed, len(found))
        for index, result in enumerate(found):
            readout = Readout(circuit.num_clbits, *result.outcomes)
            order, bits = readout.order(order_seeds[index]), readout.bits()
            for name, positions in places.items():
                arrays[name][index] = packed(bits, positions)[order]
    data = {
        name: BitArray(array.reshape(*work.shape, shots, array.shape[-1]), len(places[name]))
        for name, array in arrays.items()
    }
    return SamplerPubResult(
        DataBin(**data, shape=work.shape),
        metadata={
            "shots": shots,
            "seed": seed,
            "backend": arguments["backend"],
            "circuit_metadata": work.metadata,
        }
        | told_of(found),
    )
