"""Exact answers by constraint programming: CP-SAT of OR-Tools, with one thread so that runs repeat.

It reads the same linear model as `exact`, in whole numbers: prices are rounded to a grid so fine that the
bound, less what rounding can amount to, holds for the problem as it is. Answers come while it searches.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import numpy as np

from qrealm.base.errors import InfeasibleError, RunError
from qrealm.optimize.linear_model import (
    AssignmentModel,
    BuildStoppedError,
    LinearModel,
    Row,
    Stop,
    assignment_model,
    never,
    qubo_model,
    whole_scale,
)
from qrealm.optimize.problems import Assignment, Qubo
from qrealm.optimize.problems.evaluate import evaluate, violations
from qrealm.optimize.solvers.exact import refusal_of_size
from qrealm.optimize.solvers.greedy import first_answer
from qrealm.optimize.solvers.protocol import Candidate, Search, SolverCard

# Prices in whole numbers sum up to less than this; so do the coefficients of a row.
COST_TOTAL = 2.0**44
ROW_TOTAL = 2.0**44
STOP_POLL_S = 0.05


def _refusal(problem: Assignment | Qubo) -> str:
    if isinstance(problem, Assignment) and (problem.objective.balance or problem.objective.fragmentation):
        return "cp_sat counts in whole numbers: it takes no balance and no fragmentation"
    return refusal_of_size(problem, "cp_sat")


CARD = SolverCard(
    name="cp_sat",
    takes=("Assignment", "Qubo"),
    word="classical",
    help="constraint programming with OR-Tools' CP-SAT: an optimum and its proof, for small problems",
    unit="whole runs, counted when they end in a proof that no clock had a part in",
    sliced=False,
    exact=True,
    refusal=_refusal,
    package="ortools",
    extra="exact",
)


def start(problem: Assignment | Qubo, options: None, *, seed: int, hint: np.ndarray | None) -> Search:
    """Begin, from the hint where there is one, else from a greedy answer."""
    del options
    return CpSatSearch(problem, seed, hint)


class CpSatSearch:
    """One run of CP-SAT."""

    def __init__(self, problem: Assignment | Qubo, seed: int, hint: np.ndarray | None) -> None:
        self._problem = problem
        self._seed = seed % 2**31
        self._hint = hint
        self._assignment: AssignmentModel | None = None
        self._cancelled = threading.Event()
        self._end = math.inf
        self.best: Candidate | None = None
        self.bound = -math.inf
        self.work = 0
        self.done = False
        if hint is not None:
            self._offer(np.asarray(hint))

    def cancel(self) -> None:
        """End it; from any thread."""
        self._cancelled.set()

    def advance(self, work: int, seconds_left: float) -> None:
        """All of it."""
        del work
        self._end = perf_counter() + seconds_left
        whole = True
        if self.best is None:
            self._hint, whole = first_answer(self._problem, seconds_left)
            if self._hint is not None:
                self._offer(self._hint)
        try:
            model = self._build()
            cuts: list[Row] = []
            while not self.done and not self._is_over():
                covers = self._run(model.with_rows(cuts))
                if not covers:
                    break
                cuts += covers
        except BuildStoppedError:
            self.done = False
        self.work = int(self.done and whole)
        self.done = True

    def _is_over(self) -> bool:
        return self._cancelled.is_set() or perf_counter() >= self._end

    def _build(self) -> LinearModel:
        if isinstance(self._problem, Qubo):
            model = qubo_model(self._problem, stop=self._is_over)
            return LinearModel(
                model.cost, model.low, model.high, np.ones_like(model.whole), model.rows, model.offset
            )
        self._assignment = assignment_model(self._problem, stop=self._is_over)
        return self._assignment.model

    def _offer(self, answer: np.ndarray) -> None:
        """Keep an answer if it is the best and keeps all demands."""
        if isinstance(self._problem, Qubo):
            own = answer.astype(np.int8)
            value = self._problem.energy(own)
        else:
            own = answer.astype(np.int32)
            if violations(self._problem, own):
                return
            value = evaluate(self._problem, own).value
        if self.best is None or value < self.best.value:
            self.best = Candidate(own, value)

    def _answer(self, values: np.ndarray) -> np.ndarray:
        if self._assignment is not None:
            return self._assignment.answer(values)
        assert isinstance(self._problem, Qubo)
        return np.asarray(values[: self._problem.num_variables])

    def _run(self, model: LinearModel) -> list[Row]:
        """Solve once. Returns rows against bins that are too full by less than whole numbers can see."""
        from ortools.sat.python import cp_model

        cp, columns, scale, rounding = whole_model(model, stop=self._is_over)
        found: list[np.ndarray] = []

        class Listener(cp_model.CpSolverSolutionCallback):  # type: ignore[misc]  # untyped
            def on_solution_callback(inner) -> None:  # noqa: N805
                values = np.array([inner.value(column) for column in columns])
                found.append(values)
                self._offer(self._answer(values))

        if self._hint is not None and self._assignment is None:
            for column, value in zip(columns, np.asarray(self._hint).tolist(), strict=False):
                cp.add_hint(column, int(value))
        if self._hint is not None and self._assignment is not None:
            for item, place in enumerate(np.asarray(self._hint).tolist()):
                if place >= 0 and self._assignment.pair[item, place] >= 0:
                    cp.add_hint(columns[self._assignment.pair[item, place]], 1)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        # Ctrl-C is the caller's: it comes back as `cancel`.
        solver.parameters.catch_sigint_signal = False
        solver.parameters.random_seed = self._seed
        if math.isfinite(self._end):
            solver.parameters.max_time_in_seconds = max(0.0, self._end - perf_counter())
        with self._stopped_when_cancelled(solver):
            status = solver.solve(cp, Listener())
        return self._conclude(solver, status, found, scale, rounding, model.offset)

    @contextmanager
    def _stopped_when_cancelled(self, solver: Any) -> Iterator[None]:
        """Stop the solver when somebody cancels. It is told again and again: what it is told before it has
        begun is lost."""
        ended = threading.Event()

        def stop() -> None:
            while not ended.wait(STOP_POLL_S):
                if self._cancelled.is_set():
                    solver.stop_search()

        watcher = threading.Thread(target=stop, name="cp_sat stop", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _conclude(
        self, solver: Any, status: Any, found: list[np.ndarray], scale: float, rounding: float, offset: float
    ) -> list[Row]:
        from ortools.sat.python import cp_model

        if status == cp_model.INFEASIBLE:
            raise InfeasibleError("no placement keeps all demands: proven by constraint programming")
        if status == cp_model.MODEL_INVALID:
            raise RunError("CP-SAT does not take the model: its numbers are too large")
        bound = (solver.best_objective_bound - rounding) / scale + offset
        self.bound = max(self.bound, bound)
        if status == cp_model.OPTIMAL and found:
            covers = [] if self._assignment is None else self._assignment.covers(self._answer(found[-1]))
            if covers:
                return covers
            # What rounding leaves open is closed only where prices are whole on their grid.
            if rounding == 0 and self.best is not None:
                self.bound = self.best.value
            self.done = True
        if self.best is not None:
            self.bound = min(self.bound, self.best.value)
        return []


def whole_model(model: LinearModel, *, stop: Stop = never) -> tuple[Any, list[Any], float, float]:
    """The model in whole numbers, its columns, the scale of prices, and what rounding them may amount to.

    Rows that cannot be written in whole numbers are loosened by less than the last digit. Raises
    BuildStoppedError when `stop` says so.
    """
    from ortools.sat.python import cp_model

    cp = cp_model.CpModel()
    columns: list[Any] = []
    for low, high in zip(model.low.tolist(), model.high.tolist(), strict=True):
        _go_on(stop)
        columns.append(cp.new_int_var(int(low), int(high), ""))
    for row in model.rows:
        _go_on(stop)
        weights, low, high = _whole_row(model, row)
        chosen = [columns[at] for at in row.columns.tolist()]
        cp.add_linear_constraint(cp_model.LinearExpr.weighted_sum(chosen, weights), low, high)
    span = model.high - model.low
    scale = whole_scale(model.cost)
    rounding = 0.0
    if scale is None or float(np.abs(model.cost * span).sum()) * scale > COST_TOTAL:
        scale = COST_TOTAL / max(1e-300, float(np.abs(model.cost * np.maximum(span, 1)).sum()))
        rounding = float(np.abs(np.rint(model.cost * scale) - model.cost * scale) @ span) + 1.0
    prices = np.rint(model.cost * scale).astype(np.int64).tolist()
    cp.minimize(cp_model.LinearExpr.weighted_sum(columns, prices))
    _go_on(stop)
    return cp, columns, scale, rounding


def _go_on(stop: Stop) -> None:
    if stop():
        raise BuildStoppedError


def _whole_row(model: LinearModel, row: Row) -> tuple[list[int], int, int]:
    most = 2**62
    low, high = row.low, row.high
    weights = row.coefficients
    if not np.all(weights == np.rint(weights)):
        size = float(np.abs(weights) @ np.maximum(np.abs(model.high), np.abs(model.low))[row.columns])
        times = ROW_TOTAL / max(size, 1e-300)
        slack = float(np.maximum(np.abs(model.high), np.abs(model.low))[row.columns].sum())
        weights, low, high = np.rint(weights * times), low * times - slack, high * times + slack
    bottom = math.ceil(low - 1e-9) if math.isfinite(low) else -most
    top = math.floor(high + 1e-9) if math.isfinite(high) else most
    return weights.astype(np.int64).tolist(), bottom, top
