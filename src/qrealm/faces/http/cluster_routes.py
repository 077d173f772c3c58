"""Routes of what spans containers: groups, gates, placement, nodes, clusters, messages, events, the state."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from qrealm.base.version import installed_version
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.interface import Endpoint, PullProgress
from qrealm.control.containers.json_codec import from_json, to_json
from qrealm.faces.http import bodies
from qrealm.faces.http.incoming import ID_MAX, BoundedRoute, Moment
from qrealm.faces.http.streams import Emit, stream

Names = Annotated[Sequence[str], Query()]


def daemon_routes(engine: ContainerEngine, stopping: threading.Event) -> APIRouter:
    """What the daemon says of itself and of everything."""
    routes = APIRouter(route_class=BoundedRoute)

    @routes.get("/ping")
    def ping() -> Any:
        return {"version": installed_version(), "pid": os.getpid()}

    @routes.get("/status")
    def status() -> Any:
        return engine.views.status()

    @routes.get("/names")
    def names() -> Any:
        """Names for completion."""
        views = engine.views.containers()
        return {
            "containers": [view.record.name for view in views],
            "nodes": [view.record.name for view in engine.nodes.all()],
            "clusters": sorted({view.record.cluster for view in views if view.record.cluster}),
            "schedulers": [each.name for each in engine.balancing.schedulers() if not each.problem],
        }

    @routes.get("/events")
    async def events(
        after_id: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
        since: Moment = None,
        until: Moment = None,
        follow: bool = False,
    ) -> StreamingResponse:
        def work(emit: Emit, gone: threading.Event) -> None:
            found = engine.views.events(after_id=after_id, since=since, until=until, follow=follow)
            for event in found:
                if gone.is_set() or stopping.is_set():
                    return
                if event is not None:
                    emit(to_json(event))

        return stream(work)

    @routes.post("/maintenance")
    def maintenance(renew: bool = False) -> Any:
        return to_json(engine.upkeep.maintenance(renew=renew))

    @routes.get("/state")
    def export_state() -> Any:
        return engine.snapshots.export()

    @routes.post("/state")
    def import_state(body: bodies.State) -> Any:
        return engine.snapshots.import_(body.data, take_over=body.take_over, lose_volumes=body.lose_volumes)

    _waiting_routes(routes, engine)
    return routes


def _waiting_routes(routes: APIRouter, engine: ContainerEngine) -> None:
    """What is told those who wait for others."""

    @routes.get("/at-work")
    def at_work(
        container: Names = (),
        of_cluster: Names = (),
        on_node: Names = (),
        cluster: Names = (),
        drain: Names = (),
        removal: Names = (),
    ) -> Any:
        """For those who wait for their turn."""
        found = engine.views.at_work(
            container,
            of_clusters=of_cluster,
            on_nodes=on_node,
            clusters=cluster,
            drains=drain,
            removals=removal,
        )
        now = time.monotonic()
        # The lock of a cluster or a node is called after what it is, and a colon.
        return [
            {"name": each.name.rpartition(":")[2], "doing": each.doing, "seconds": now - each.since_s}
            for each in found
        ]


def quantum_routes(engine: ContainerEngine) -> APIRouter:
    """Groups, gates and messages."""
    routes = APIRouter(route_class=BoundedRoute)

    @routes.post("/entanglements")
    def entangle(body: bodies.Entangle) -> Any:
        return to_json(engine.circuits.entangle(body.first, body.second, body.mode))

    @routes.post("/disentanglements")
    def disentangle(body: bodies.Disentangle) -> Any:
        return to_json(engine.circuits.disentangle(body.names))

    @routes.post("/gates")
    def apply_gate(body: bodies.Gate) -> Any:
        return to_json(engine.circuits.apply_gate(body.gate, body.names, angle=body.angle, qubit=body.qubit))

    @routes.post("/messages")
    def send_message(body: bodies.Message) -> Any:
        sent = engine.messages.send(
            body.sender, body.receiver, body.type, body.data, intercept_share=body.intercept_share
        )
        return to_json(sent)

    return routes


def placement_routes(engine: ContainerEngine) -> APIRouter:
    """Load balancing, nodes and clusters."""
    routes = APIRouter(route_class=BoundedRoute)

    @routes.post("/load-balance")
    def load_balance(body: bodies.Balance) -> Any:
        report = engine.balancing.load_balance(body.names, scheduler=body.scheduler, dry_run=body.dry_run)
        return to_json(report)

    @routes.post("/rebalance")
    def rebalance(body: bodies.Rebalance) -> Any:
        return to_json(engine.balancing.rebalance(scheduler=body.scheduler, dry_run=body.dry_run))

    @routes.get("/schedulers")
    def schedulers() -> Any:
        return to_json(engine.balancing.schedulers())

    @routes.get("/nodes")
    def nodes() -> Any:
        return to_json(engine.nodes.all())

    @routes.post("/nodes")
    def add_node(body: bodies.NewNode) -> Any:
        endpoint = from_json(Endpoint, body.endpoint)
        view = engine.nodes.add(
            body.name, endpoint, body.labels, cpus=body.cpus, memory_bytes=body.memory_bytes
        )
        return to_json(view)

    @routes.delete("/nodes/{name}")
    def remove_node(name: str, force: bool = False) -> Any:
        report = engine.nodes.remove(name, force=force)
        return {**to_json(report), "configured": engine.nodes.is_configured(name)}

    @routes.post("/nodes/{name}/drain")
    def drain(name: str) -> Any:
        return to_json(engine.nodes.drain(name))

    @routes.post("/nodes/{name}/activate")
    def activate(name: str) -> Any:
        engine.nodes.activate(name)
        return {"name": name}

    @routes.post("/clusters")
    async def create_cluster(body: bodies.Cluster) -> StreamingResponse:
        def work(emit: Emit, _: threading.Event) -> None:
            def progress(name: str, step: PullProgress) -> None:
                emit({"container": name, "progress": to_json(step)})

            chosen = {} if body.scheduler is None else {"scheduler": body.scheduler}
            report = engine.clusters.create(
                body.text,
                body.filename,
                progress=progress,
                environ=body.environ,
                folder=body.folder,
                **chosen,
            )
            emit({"result": to_json(report)})

        return stream(work)

    @routes.delete("/clusters/{name}")
    def remove_cluster(name: str, force: bool = False, volumes: bool = False) -> Any:
        return {"removed": list(engine.clusters.remove(name, force=force, volumes=volumes))}

    return routes
