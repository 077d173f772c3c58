"""Networks that qrealm makes: there is one as long as a container of it is there, started or not."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from qrealm.base.errors import EngineRefusalError, EngineUnavailableError
from qrealm.fleet.containers.connection import Connection
from qrealm.fleet.containers.protocol import LABEL_ENGINE, LABEL_NETWORK, ContainerSpec

if TYPE_CHECKING:
    from docker import APIClient

_DETACH_SECONDS_MAX = 5.0  # a swarm takes the last task off a network a moment after it has ended
_LISTED_SECONDS_MAX = 5.0
_POLL_S = 0.05
# By url: drivers of one engine, also of a swarm's members behind one manager, take turns.
_LOCKS: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)

Told = Mapping[str, Any]


class MadeNetworks:
    """Makes and removes the networks of an engine, or of a swarm.

    Args:
        wire: to the engine.
        url: of the engine.
        kind: Docker's name of the networks' driver, ``"bridge"`` or ``"overlay"``.
        holders: asked for what has a label, stopped containers too; the network of none of these is removed.
    """

    def __init__(
        self, wire: Connection, url: str, kind: str, holders: Callable[[APIClient, str], list[Told]]
    ) -> None:
        self._wire = wire
        self._lock = _LOCKS[url]
        self._kind = kind
        self._holders = holders

    @contextmanager
    def holding(self, spec: ContainerSpec, doing: str) -> Iterator[None]:
        """While a container is made: its network is there, and nobody takes it away in between.

        Raises:
            EngineRefusalError: the engine cannot make it, or has another of this name.
            EngineUnavailableError: the engine does not answer, or its connection was closed meanwhile.
        """
        if not spec.network_made or spec.network is None:
            yield
            return
        owner = spec.labels.get(LABEL_ENGINE, "")
        with self._lock:
            try:
                self._ensure(spec.network, owner, doing)
                yield
            except EngineUnavailableError:
                raise  # who asks it more keeps the others waiting; what is left goes with `tidy`
            except BaseException:
                with suppress(Exception):  # the fault itself is what the caller has to hear
                    self._sweep(owner, spec.network)
                raise

    def tidy(self, owner: str) -> None:
        """Remove the networks that were made for the containers of an engine of qrealm and have none left.

        It waits for nobody: what is in use stays, and while a container is being made or removed, all does.
        """
        if self._lock.acquire(blocking=False):
            try:
                self._sweep(owner)
            finally:
                self._lock.release()

    def left(self, owner: str, name: str) -> None:
        """The same after a container of the network `name` was removed.

        A swarm is given a moment to take the container off. Others may make and remove meanwhile.
        """
        only = None
        deadline = time.monotonic() + _DETACH_SECONDS_MAX
        while self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            try:
                if name not in self._sweep(owner, only):
                    return
            finally:
                self._lock.release()
            if time.monotonic() > deadline:
                return
            time.sleep(_POLL_S)
            only = name

    def _sweep(self, owner: str, only: str | None = None) -> set[str]:
        """Try once to remove those that have no containers, or one of them; those that a swarm says are in
        use."""
        in_use, gone = set(), []
        with self._wire.calling("remove networks without containers") as client:
            for network in client.networks(filters={"label": f"{LABEL_ENGINE}={owner}"}):
                name = (network.get("Labels") or {}).get(LABEL_NETWORK)
                ours = name is not None and network["Driver"] == self._kind
                if not ours or only not in (None, name) or self._holders(client, f"{LABEL_NETWORK}={name}"):
                    continue
                try:
                    with self._wire.calling(f"remove network {name!r}"):
                        client.remove_network(network["Id"])
                except EngineRefusalError as refused:
                    # Somebody else's container may be in it. It stays, and goes with the next that goes.
                    if self._kind == "overlay" and "in use" in refused.message:
                        in_use.add(str(name))
                else:
                    gone.append(network["Id"])
            # A swarm lists for a moment what is gone, and the next of this name would be taken for it.
            deadline = time.monotonic() + _LISTED_SECONDS_MAX
            while gone and client.networks(ids=gone) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
        return in_use

    def _ensure(self, name: str, owner: str, doing: str) -> None:
        labels = {LABEL_ENGINE: owner, LABEL_NETWORK: name}
        with self._wire.calling(f"{doing}: make network {name!r}") as client:
            for network in client.networks(names=[name]):
                if network["Name"] != name:
                    continue  # the engine looks for parts of names, too
                if labels.items() <= (network.get("Labels") or {}).items():
                    return
                raise EngineRefusalError(
                    f"{self._wire.name}: {doing}: there is a network {name!r} that was not made for it",
                    hint=f"give the cluster another name, or on its node: docker network rm {name}",
                )
            alone = self._kind == "overlay"  # else only services may join it
            client.create_network(
                name, driver=self._kind, labels=labels, check_duplicate=True, attachable=alone
            )
