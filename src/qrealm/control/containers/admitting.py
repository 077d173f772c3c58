"""Which engines may be nodes: each is asked what it is, and is one node only."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from qrealm.base.errors import NameTakenError, QrealmError, RequestError
from qrealm.control.containers.asked import WORD
from qrealm.control.containers.context import Context
from qrealm.control.containers.values import NodeRecord, NodeState
from qrealm.fleet.containers import DRIVERS
from qrealm.fleet.containers.protocol import LABEL_ENGINE, ContainerDriver, Endpoint


class Admitting:
    """Looks at engines that are to be nodes."""

    def __init__(self, context: Context) -> None:
        self._ctx = context

    def whole(self, name: str, endpoint: Endpoint) -> Endpoint:
        """Where a node is: a simulated one that says no folder has its records in the home folder."""
        if endpoint.driver == "simulated" and endpoint.folder is None:
            folder: Path = self._ctx.home / "simulated" / name
            return replace(endpoint, folder=str(folder))
        return endpoint

    def check_once(self, record: NodeRecord) -> None:
        """Raises NameTakenError where another node is the engine; a simulated one is records, no engine."""
        for other in self._ctx.store.nodes.all():
            another = other.name != record.name and not (record.simulated or other.simulated)
            if another and same_engine(other.endpoint, record.endpoint):
                raise NameTakenError(
                    f"node {record.name!r} cannot be taken in: node {other.name!r} is that engine",
                    hint=f"one engine is one node; to give it another name: qdocker nodes rm {other.name}",
                )

    def look(
        self,
        name: str,
        endpoint: Endpoint,
        labels: Mapping[str, str],
        cpus: float | None,
        memory_bytes: int | None,
        limit_s: float | None = None,
    ) -> NodeRecord:
        """Ask an engine what it is, which as a node it then is.

        Args:
            cpus, memory_bytes: what containers may share; all that the engine has when None.
            limit_s: how long each question may take; None for as long as calls that do work.

        Raises:
            EngineUnavailableError: the engine does not answer.
            NameTakenError: the engine is a node already, by another address.
            RequestError: a bad name or limit; a swarm of which no member is named.
        """
        if not WORD.fullmatch(name):
            raise RequestError(
                f"nodes add got the name {name!r:.80}; a name has letters, digits, '_', '.' and '-', and "
                "begins with a letter or digit"
            )
        if endpoint.member is not None and endpoint.driver != "swarm":
            raise RequestError(
                f"nodes add got the member {endpoint.member!r}, and the driver {endpoint.driver!r}; only a "
                "node of the driver swarm has one",
                hint="--driver swarm, or no --member",
            )
        endpoint = self.whole(name, endpoint)
        if not 0 < (1 if cpus is None else cpus) < float("inf") or (memory_bytes or 1) <= 0:
            raise RequestError(f"nodes add got cpus={cpus}, memory={memory_bytes}; both must be more than 0")
        # A node that is lost may have come back, and the watch not seen it yet.
        self._ctx.drivers.allow(endpoint)
        try:
            facts = self._driver(endpoint, limit_s).facts()
        except QrealmError:
            if all(node.endpoint != endpoint for node in self._ctx.store.nodes.all()):
                self._ctx.drivers.forget(endpoint)
            raise
        if facts.members and endpoint.member is None:
            raise RequestError(
                f"{name!r} is a swarm with the members {', '.join(facts.members)}; a node is one of them",
                hint=f"add each by a name of its own: qdocker nodes add NAME --driver {endpoint.driver} "
                f"--member {facts.members[0]}",
            )
        now = self._ctx.clock.now()
        record = NodeRecord(
            name=name,
            endpoint=endpoint,
            engine=facts.engine,
            cpus=facts.cpus if cpus is None else cpus,
            memory_bytes=facts.memory_bytes if memory_bytes is None else memory_bytes,
            state=NodeState.READY,
            simulated=facts.simulated,
            labels=dict(labels),
            seen_at=now,
            added_at=now,
        )
        self._check_other(record, limit_s)
        return record

    def _driver(self, endpoint: Endpoint, limit_s: float | None) -> ContainerDriver:
        drivers = self._ctx.drivers
        return drivers.of(endpoint) if limit_s is None else drivers.of(endpoint, limit_s, "look")

    def _check_other(self, record: NodeRecord, limit_s: float | None) -> None:
        """Raises NameTakenError for an engine that is a node already, by another address."""
        ctx = self._ctx
        there = self._driver(record.endpoint, limit_s).find({LABEL_ENGINE: ctx.store.engine_id})
        ids = {facts.engine_id for facts in there}
        lost = {node.name for node in ctx.store.nodes.all() if node.state is NodeState.LOST}
        known = {node.name for node in ctx.store.nodes.all()} - lost - {record.name}
        for container in ctx.store.containers.all():
            if container.engine_id in ids and container.node in known:
                raise NameTakenError(
                    f"node {record.name!r} cannot be taken in: node {container.node!r} is that engine, which "
                    f"has the container {container.name!r}"
                )


def same_engine(first: Endpoint, second: Endpoint) -> bool:
    """Whether two endpoints lead to one engine: certificates are how to speak to it, and the address of a
    simulated one has its size, too."""
    one, other = (_place(endpoint) for endpoint in (first, second))
    return one == other


def _place(endpoint: Endpoint) -> tuple[str, str, str | None, str | None]:
    driver, url = endpoint.driver, endpoint.url
    if not url and (row := DRIVERS.get(driver)) is not None:
        url = row.urls[0]
    scheme, _, rest = url.partition("://")
    if driver == "simulated":
        url = re.split("[/?]", rest, maxsplit=1)[0]
    elif scheme == "unix":
        url = f"unix://{os.path.realpath(rest)}"
    elif scheme in ("tcp", "http", "https"):
        url = rest.rstrip("/").lower()
    # Docker's driver and Podman's speak to the same engines, a swarm's to one member of it.
    kind = "" if driver in ("docker", "podman") else driver
    return kind, url, endpoint.member, endpoint.folder


def address_of(endpoint: Endpoint) -> str:
    """An endpoint in words."""
    where = endpoint.url or "at its default address"
    return f"{endpoint.driver} {where}" if endpoint.member is None else f"{endpoint.member} by {where}"
