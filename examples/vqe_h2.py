"""The bond of the hydrogen molecule: VQE energies along its length, beside the exact ones.

Prints a table, and saves the convergence at the best length as vqe_h2.png in the working directory where
matplotlib is installed.
"""

from __future__ import annotations

import importlib.util

from qrealm.algorithms import ground_energy, hydrogen_ansatz, hydrogen_hamiltonian, run_vqe

LENGTHS_ANGSTROM = (0.4, 0.5, 0.6, 0.7, 0.7414, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)


def main() -> None:
    print("length (angstrom)   VQE (hartree)    exact (hartree)   evaluations")
    results = []
    for length in LENGTHS_ANGSTROM:
        hamiltonian = hydrogen_hamiltonian(length)
        exact = ground_energy(hamiltonian)
        found = run_vqe(hamiltonian, hydrogen_ansatz(), initial_values=[0.0])
        results.append((found.energy, length, exact))
        print(f"{length:17.4f}   {found.energy:13.8f}   {exact:16.8f}   {found.evaluations:11d}")
    energy, length, exact = min(results)
    apart = ground_energy(hydrogen_hamiltonian(50.0))
    print(f"\nlowest energy at {length} angstrom; the bond holds with {apart - energy:.4f} hartree")
    if importlib.util.find_spec("matplotlib") is not None:
        found = run_vqe(hydrogen_hamiltonian(length), optimizer="COBYLA", seed=7)
        print(f"saved {found.plot('vqe_h2.png', reference=exact, title=f'H2 at {length} angstrom')}")


if __name__ == "__main__":
    main()
