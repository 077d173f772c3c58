"""The solvers that exist: one file each, one row each."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast, get_args, get_type_hints

import numpy as np

from qrealm.base.errors import MissingExtraError, ProblemError, SolverRefusalError
from qrealm.optimize.problems import Assignment, Ising, MaxCut, Problem, Qubo
from qrealm.optimize.solvers import (
    annealing,
    bifurcation,
    cp_sat,
    exact,
    greedy,
    packing,
    placement_annealing,
    qaoa,
    quantum_annealing,
    semidefinite,
    tabu,
    tempering,
    vqe,
)
from qrealm.optimize.solvers.protocol import Search, SolverCard, Start

SOLVERS: dict[str, SolverCard] = {
    module.CARD.name: module.CARD
    for module in (
        greedy,
        packing,
        placement_annealing,
        exact,
        cp_sat,
        annealing,
        tempering,
        bifurcation,
        tabu,
        quantum_annealing,
        semidefinite,
        qaoa,
        vqe,
    )
}
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Adapted:
    """A problem in the words of one solver, and the way back for its answers."""

    problem: Problem
    to_answer: Callable[[np.ndarray], np.ndarray]
    from_answer: Callable[[np.ndarray], np.ndarray]


def _same(answer: np.ndarray) -> np.ndarray:
    return answer


def bits_of(spins: np.ndarray) -> np.ndarray:
    """Bits of spins, ``x = (1 - s) / 2``, int8."""
    return ((1 - spins) // 2).astype(np.int8)


def spins_of(bits: np.ndarray) -> np.ndarray:
    """Spins of bits, ``s = 1 - 2x``, int8."""
    return (1 - 2 * bits.astype(np.int8)).astype(np.int8)


def adapt(problem: Problem, card: SolverCard) -> Adapted | None:
    """The problem as a solver takes it, with the same energies; None when it is of a kind that it cannot
    take."""
    if type(problem).__name__ in card.takes:
        return Adapted(problem, _same, _same)
    if isinstance(problem, Assignment):
        return None
    if "Ising" in card.takes:
        ising = problem.to_ising() if isinstance(problem, Qubo | MaxCut) else problem
        if isinstance(problem, Qubo):
            return Adapted(ising, bits_of, spins_of)
        return Adapted(ising, _same, _same)
    if "Qubo" in card.takes and isinstance(problem, Ising | MaxCut):
        return Adapted(problem.to_qubo(), spins_of, bits_of)
    return None


def refusal_of(problem: Problem, card: SolverCard) -> str:
    """Why a solver cannot take a problem; empty when it can. Missing packages count."""
    adapted = adapt(problem, card)
    if adapted is None:
        return f"{card.name} takes {' and '.join(card.takes)}, not {type(problem).__name__}"
    if card.package and importlib.util.find_spec(card.package) is None:
        return f"{card.name} needs {card.package}: pip install 'qrealm[{card.extra}]'"
    return card.refusal(adapted.problem)


def card_of(name: str) -> SolverCard:
    """The card of a solver. Raises ProblemError for a name that no solver has."""
    if name not in SOLVERS:
        raise ProblemError(f"there is no solver {name!r}; there are {AUTO}, {', '.join(SOLVERS)}")
    return SOLVERS[name]


def begin(
    problem: Problem, name: str, *, seed: int, options: Any = None, hint: np.ndarray | None = None
) -> tuple[Search, Adapted]:
    """Begin a search. Raises SolverRefusalError when the solver cannot take the problem, ProblemError when
    the options are not of its class.

    Args:
        options: of the solver's own class; its defaults when None.
        hint: an answer of `problem` to improve on, for solvers that can.
    """
    card = card_of(name)
    reason = refusal_of(problem, card)
    if reason:
        others = ", ".join(
            other for other in SOLVERS if other != name and not refusal_of(problem, SOLVERS[other])
        )
        if card.package and importlib.util.find_spec(card.package) is None:
            raise MissingExtraError(f"the {name} solver", package=card.package, extra=card.extra)
        raise SolverRefusalError(reason, hint=f"these can take it: {others}" if others else "")
    adapted = cast(Adapted, adapt(problem, card))
    start = cast(Start, importlib.import_module(f"qrealm.optimize.solvers.{name}").start)
    _check_options(name, start, options)
    own_hint = None if hint is None else adapted.from_answer(hint)
    return start(adapted.problem, options, seed=seed, hint=own_hint), adapted


def _check_options(name: str, start: Start, options: object) -> None:
    """Refuse options of another class than the one that the solver's `start` is written for."""
    if options is None:
        return
    wanted = [kind for kind in get_args(get_type_hints(start)["options"]) if kind is not type(None)]
    if not wanted:
        raise ProblemError(f"the {name} solver got options={options!r:.80}; it has none")
    if not isinstance(options, tuple(wanted)):
        kinds = " or ".join(kind.__name__ for kind in wanted)
        raise ProblemError(
            f"the {name} solver got options={options!r:.80}; it takes {kinds}",
            hint=f"from qrealm.optimize.solvers.{name} import {wanted[0].__name__}",
        )
