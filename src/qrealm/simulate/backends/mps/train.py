"""Operators on many sites as trains: under any number of controls the bond grows by a factor that does not
depend on how many there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qrealm.simulate.backends.mps.program import Matrix, TrainOp, matrix_train, vector_train

_ONE = np.array([[0, 0], [0, 1]], dtype=np.complex128)  # where the control is 1
_NOTHING = np.eye(2, dtype=np.complex128)


@dataclass(frozen=True, slots=True, eq=False)
class Train:
    """Tensors (left bond, out, in, right bond) for some sites, ascending; the sites between pass the bond
    on."""

    sites: tuple[int, ...]
    cores: tuple[Matrix, ...]


def gate_train(op: TrainOp, place: list[int]) -> Train:
    """A gate where its qubits stand: 1 + (all controls 1) x (U - 1), as two channels of one bond."""
    at = {place[q]: index for index, q in enumerate(op.targets)}
    sites = sorted([*at, *(place[q] for q in op.controls)])
    order = [at[site] for site in sites if site in at]
    if not op.controls:
        return Train(tuple(sites), tuple(matrix_train(op.matrix, order)))
    parts = iter(matrix_train(op.matrix - np.eye(len(op.matrix)), order))
    cores: list[Matrix] = []
    bond = 1
    for index, site in enumerate(sites):
        if site in at:
            active = next(parts)
        else:
            active = np.einsum("ab,oi->aoib", np.eye(bond), _ONE)
        bond = active.shape[3]
        core = np.zeros((active.shape[0] + 1, 2, 2, bond + 1), dtype=np.complex128)
        core[0, :, :, 0] = _NOTHING
        core[1:, :, :, 1:] = active
        if index == 0:
            core = core[:1] + core[1:2]
        if index == len(sites) - 1:
            core = core[..., :1] + core[..., 1:2]
        cores.append(core)
    return Train(tuple(sites), tuple(cores))


def preparation_train(qubits: tuple[int, ...], amplitudes: Matrix, place: list[int]) -> Train:
    """Puts qubits that are |0...0> into a state: its amplitudes where the old bit is 0, nothing elsewhere."""
    at = {place[q]: index for index, q in enumerate(qubits)}
    sites = sorted(at)
    cores = [
        np.stack([part, np.zeros_like(part)], axis=2)
        for part in vector_train(amplitudes, [at[site] for site in sites])
    ]
    return Train(tuple(sites), tuple(cores))


__all__ = ["Train", "gate_train", "preparation_train"]
