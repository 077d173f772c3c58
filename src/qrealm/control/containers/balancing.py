"""Moving containers where they are better off, and telling why they are where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from qrealm.base.errors import CancelledRunError, QrealmError, RequestError
from qrealm.control.containers.asker import check_wanted
from qrealm.control.containers.asking import check_names
from qrealm.control.containers.context import Context
from qrealm.control.containers.deciding import Deciding
from qrealm.control.containers.moves import Moves
from qrealm.control.containers.placement import Plan, PlannedMove, SchedulerInfo, schedulers
from qrealm.control.containers.reports import BalanceReport, MoveReport
from qrealm.control.containers.values import DecisionRecord, Phase

Halted = Callable[[], str]
"""Why no move is begun any more; empty as long as they are."""


class Balancing:
    """What load-balance, rebalance, drain and why call."""

    def __init__(self, context: Context, deciding: Deciding, moves: Moves) -> None:
        self._ctx = context
        self._deciding = deciding
        self._moves = moves

    def load_balance(
        self, references: Sequence[str], scheduler: str | None = None, *, dry_run: bool = False
    ) -> BalanceReport:
        """Move the named containers, and no others, to where the load is balanced best."""
        check_names("load-balance", references)
        if not references:
            raise RequestError(
                "load-balance got no container", hint="name one or more, or use rebalance for all of them"
            )
        self._check_enabled("load-balance")
        records = [self._ctx.store.containers.find(reference) for reference in references]
        return self._carry_out([record.id for record in records], scheduler, "load-balance", dry_run)

    def rebalance(self, scheduler: str | None = None, *, dry_run: bool = False) -> BalanceReport:
        """Move whatever pays for its move."""
        self._check_enabled("rebalance")
        every = [record.id for record in self._ctx.store.containers.all() if record.phase is Phase.READY]
        return self._carry_out(every, scheduler, "rebalance", dry_run)

    def empty(self, node: str, halted: Halted) -> BalanceReport:
        """Move what a node has that takes nothing new any more; no move is begun once it is `halted`."""
        there = [record for record in self._ctx.store.containers.all() if record.node == node]
        ready = [record for record in there if record.phase is Phase.READY]
        report = self._carry_out([record.id for record in ready], None, "drain", False, halted)
        told = "its phase is {}; try again in a moment"
        busy = {record.name: told.format(record.phase.value) for record in there if record not in ready}
        return replace(report, stays={**report.stays, **busy})

    def why(self, reference: str) -> tuple[DecisionRecord, ...]:
        """The decisions about a container, the newest first."""
        record = self._ctx.store.containers.find(reference)
        return tuple(
            decision
            for decision in self._ctx.store.decisions.all(record.name)
            if decision.at >= record.created_at
        )

    def schedulers(self) -> tuple[SchedulerInfo, ...]:
        """All schedulers, who brings each, and what is wrong with it where it cannot be used."""
        return schedulers()

    def _check_enabled(self, command: str) -> None:
        if not self._ctx.config.enable_quantum_load_balancing:
            raise RequestError(
                f"{command} is off: the configuration has enable_quantum_load_balancing: false",
                hint="set it to true and start the daemon again",
            )

    def _carry_out(
        self,
        moving: Sequence[str],
        scheduler: str | None,
        action: str,
        dry_run: bool,
        halted: Halted = lambda: "",
    ) -> BalanceReport:
        ctx = self._ctx
        with ctx.scheduling:
            plan = self._deciding.balance(moving, scheduler, action)
            if not dry_run:
                check_wanted()
                with ctx.store.transaction():
                    for decision in plan.decisions:
                        ctx.store.decisions.append(decision)
        moves = [self._move(move, dry_run, halted) for move in plan.moves]
        moved = {move.name for move in moves if move.done or dry_run}
        kept = tuple(d.container for d in plan.decisions if d.container not in moved)
        # A rebalance has named nobody: of what it left alone nothing was expected.
        meant = {} if action == "rebalance" else {d.container: _why_here(d) for d in plan.decisions}
        failed = {move.name: move.error for move in moves if move.error}
        stays = {name: why for name, why in {**meant, **failed}.items() if name not in moved}
        report = replace(_report(plan, moves, kept, dry_run), stays=stays)
        if action == "drain":
            # What a node may hold that is to be empty is no objective of anybody's.
            report = replace(report, objective_before=None, objective_after=None)
        return report

    def _move(self, move: PlannedMove, dry_run: bool, halted: Halted) -> MoveReport:
        """Carry one move out; what stands in the way is told, and the others go on."""
        error = halted()
        if not error and not dry_run:
            try:
                self._moves.move(move.container, move.target)
            except CancelledRunError:
                raise  # nobody waits for the report
            except QrealmError as problem:
                error = problem.message
        done = not dry_run and not error
        return MoveReport(move.container, move.source, move.target, move.reason, done, error)


def _why_here(decision: DecisionRecord) -> str:
    """Why a container is not sent elsewhere."""
    if len(decision.candidates) > 1:
        return decision.reason
    told = "; ".join(f"{node}: {why}" for node, why in decision.refused.items())
    return f"no other node takes it; {told}" if told else "there is no other node"


def _report(plan: Plan, moves: list[MoveReport], kept: tuple[str, ...], dry_run: bool) -> BalanceReport:
    return BalanceReport(
        moves=tuple(moves),
        kept=kept,
        objective_before=plan.objective_before,
        objective_after=plan.objective_after,
        bound=plan.bound,
        scheduler=plan.scheduler,
        seconds=plan.seconds,
        dry_run=dry_run,
        loads=plan.loads,
        move_costs=plan.move_costs,
    )
