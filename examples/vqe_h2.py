"""The bond of the hydrogen molecule: VQE energies along its length, beside the exact ones.

    python examples/vqe_h2.py --out vqe_h2.png

Prints a table; with --out saves the convergence at the best length, which needs `pip install "qrealm[plot]"`.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from qrealm.algorithms import ground_energy, hydrogen_ansatz, hydrogen_hamiltonian, run_vqe

LENGTHS_ANGSTROM = (0.4, 0.5, 0.6, 0.7, 0.7414, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Energies of the hydrogen molecule along its bond.")
    parser.add_argument("--out", type=Path, help="save the convergence: .png, .svg or .pdf")
    options = parser.parse_args()
    if options.out is not None and importlib.util.find_spec("matplotlib") is None:
        parser.exit(2, 'vqe_h2.py --out needs matplotlib: pip install "qrealm[plot]"\n')
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
    if options.out is not None:
        found = run_vqe(hydrogen_hamiltonian(length), optimizer="COBYLA", seed=7)
        print(f"saved {found.plot(options.out, reference=exact, title=f'H2 at {length} angstrom')}")


if __name__ == "__main__":
    main()
