"""`maintenance`: registers prepared again, unhealthy containers restarted, records and engines brought
together."""

from __future__ import annotations

from qrealm.base.errors import QrealmError, RegisterError
from qrealm.control.containers.circuits import QuantumCircuitManager
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.reconcile import Reconcile
from qrealm.control.containers.reports import MaintenanceReport
from qrealm.control.containers.values import ContainerRecord, NodeState, Phase, Wanted
from qrealm.control.containers.watch import Watch
from qrealm.fleet.containers.protocol import ContainerState


class Upkeep:
    """Mends what has worn out."""

    def __init__(
        self, context: Context, circuits: QuantumCircuitManager, reconcile: Reconcile, watch: Watch
    ) -> None:
        self._ctx = context
        self._circuits = circuits
        self._reconcile = reconcile
        self._watch = watch

    def maintenance(self, *, renew: bool = False) -> MaintenanceReport:
        """Prepare registers again whose coherence has faded, restart what its health check finds unwell,
        compare the records with every engine, try again to place what waits.

        Args:
            renew: prepare every register again, faded or not, as for the next round of an experiment.
        """
        prepared, worn = self._prepared(renew)
        found = self._reconcile.all()
        found.problems[:0] = worn
        restarted: list[str] = []
        for record in self._ctx.store.containers.all():
            try:
                if self._restart_unhealthy(record):
                    restarted.append(record.name)
            except QrealmError as problem:
                found.problems.append(f"{record.name}: {problem.message}")
            except Exception as bug:  # noqa: BLE001 - of one container: the others are looked at all the same
                log.exception("maintenance of %s broke off", record.name)
                found.problems.append(f"{record.name}: {type(bug).__name__}: {bug}")
        self._watch.place_waiting()
        return MaintenanceReport(
            prepared_again=prepared,
            restarted=tuple(restarted),
            adopted=self._reconcile.tell_adopted(),
            made_again=tuple(found.made_again),
            removed=tuple(found.removed),
            finished=tuple(found.finished),
            unreachable=tuple(found.unreachable),
            problems=tuple(found.problems),
        )

    def _prepared(self, renew: bool) -> tuple[tuple[str, ...], list[str]]:
        """Names of the containers whose registers were prepared again, and why that could not be."""
        try:
            return self._circuits.prepare_again(all_of_them=renew), []
        except RegisterError as problem:
            log.warning("registers are not prepared again: %s", problem.message)
            return (), [f"no register was prepared again: {problem.message}"]

    def _restart_unhealthy(self, seen: ContainerRecord) -> bool:
        ctx = self._ctx
        with ctx.names.hold(seen.name, "maintenance"):
            record = ctx.record(seen.id)
            if record is None or record.phase is not Phase.READY or record.wanted is not Wanted.RUNNING:
                return False
            assert record.node is not None
            assert record.engine_id is not None
            node = ctx.store.nodes.get(record.node)
            if node.state is NodeState.LOST:
                return False
            driver = ctx.drivers.of(node)
            facts = driver.inspect(record.engine_id)
            if facts.health != "unhealthy" and facts.state is not ContainerState.DEAD:
                return False
            # Written down so that it is started if this is cut off in between.
            ctx.change(record.id, begun=Wanted.RUNNING)
            driver.stop(record.engine_id, record.spec.stop_grace_s)
            driver.start(record.engine_id)
            with ctx.store.transaction():
                ctx.change(record.id, restarts=record.restarts + 1, begun=None)
                ctx.tell("container", "restart", record.name, {"reason": str(facts.health or facts.state)})
            return True
