"""Routes of single containers: made, run, stopped, removed, measured, looked at, spoken into."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from fastapi.responses import StreamingResponse

from qrealm.base.errors import DaemonError
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.interface import ExecSpec, LogRequest, Output, PullProgress
from qrealm.control.containers.json_codec import from_json, to_json
from qrealm.control.containers.reports import CreateRequest
from qrealm.faces.http import bodies
from qrealm.faces.http.incoming import ID_MAX, BoundedRoute, Moment
from qrealm.faces.http.streams import Emit, Leaving, ended_by, stream

Document = Annotated[dict[str, Any], Body()]


def container_routes(engine: ContainerEngine, stopping: Leaving) -> APIRouter:
    """Everything below ``/containers``. What follows a container's output ends when `stopping` is set."""
    routes = APIRouter(prefix="/containers", route_class=BoundedRoute)

    @routes.get("")
    def containers(name: Annotated[list[str] | None, Query()] = None) -> Any:
        return to_json(engine.views.containers(name))

    @routes.post("")
    async def create(document: Document) -> StreamingResponse:
        request = from_json(CreateRequest, document)

        def work(emit: Emit, _: Leaving) -> None:
            # The engine undoes what it began when `progress` raises because the caller has gone.
            def progress(step: PullProgress) -> None:
                emit({"progress": to_json(step)})

            emit({"result": to_json(engine.lifecycle.create(request, progress=progress))})

        return stream(work)

    @routes.get("/{name}")
    def inspect(name: str) -> Any:
        return to_json(engine.views.inspect(name))

    @routes.delete("/{name}")
    def remove(name: str, force: bool = False, volumes: bool = False) -> Any:
        return {"name": engine.lifecycle.remove(name, force=force, volumes=volumes)}

    @routes.post("/{name}/run")
    def run(name: str, body: bodies.Run) -> Any:
        return to_json(engine.lifecycle.run(name, force=body.force))

    @routes.post("/{name}/stop")
    def stop(name: str, body: bodies.Stop) -> Any:
        stopped = engine.lifecycle.stop(name, grace_s=body.grace_s)
        return {**to_json(stopped), "simulated": engine.nodes.is_simulated(stopped.node)}

    @routes.post("/{name}/measure")
    def measure(name: str) -> Any:
        return to_json(engine.circuits.measure(name))

    @routes.get("/{name}/decisions")
    def decisions(name: str) -> Any:
        return to_json(engine.balancing.why(name))

    @routes.get("/{name}/messages")
    def messages(name: str, unread_only: bool = False) -> Any:
        return to_json(engine.messages.read(name, unread_only=unread_only))

    _output_routes(routes, engine, stopping)
    return routes


def _output_routes(routes: APIRouter, engine: ContainerEngine, stopping: Leaving) -> None:
    """What a container writes, and commands inside it."""

    @routes.get("/{name}/logs")
    async def logs(
        name: str,
        follow: bool = False,
        tail: Annotated[int | None, Query(le=ID_MAX)] = None,
        since: Moment = None,
        until: Moment = None,
        timestamps: bool = False,
    ) -> StreamingResponse:
        request = LogRequest(follow=follow, tail=tail, since=since, until=until, timestamps=timestamps)

        def work(emit: Emit, gone: Leaving) -> None:
            with ended_by(engine.lifecycle.logs(name, request), gone, stopping) as pieces:
                for piece in pieces:
                    emit(_output(piece))
            if follow and stopping.is_set():
                raise DaemonError(
                    "the daemon ends, and so does what follows; the container goes on", hint="qdocker start"
                )

        return stream(work)

    @routes.post("/{name}/exec")
    async def execute(name: str, document: Document) -> StreamingResponse:
        spec = from_json(ExecSpec, document)

        def work(emit: Emit, gone: Leaving) -> None:
            running = engine.lifecycle.execute(name, spec)
            # The command itself goes on when its caller goes, as Docker's does.
            with ended_by(running.output(), gone) as pieces:
                for piece in pieces:
                    emit(_output(piece))
            if not gone.is_set():
                emit({"exit_code": running.exit_code()})

        return stream(work)


def _output(piece: Output) -> dict[str, Any]:
    data: dict[str, Any] = to_json(piece)
    return data
