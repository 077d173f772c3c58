"""Networks that qrealm makes: there is one as long as a container of it is there, started or not."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from qrealm.base.errors import EngineRefusalError
from qrealm.fleet.containers.connection import Connection
from qrealm.fleet.containers.protocol import LABEL_ENGINE, LABEL_NETWORK, ContainerSpec

if TYPE_CHECKING:
    from docker import APIClient

_DETACH_SECONDS_MAX = 5.0  # a swarm takes the last task off a network a moment after it has ended
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
        """
        if not spec.network_made or spec.network is None:
            yield
            return
        owner = spec.labels.get(LABEL_ENGINE, "")
        with self._lock:
            try:
                self._ensure(spec.network, owner, doing)
                yield
            except BaseException:
                with suppress(Exception):  # the fault itself is what the caller has to hear
                    self.sweep(owner)
                raise

    def sweep(self, owner: str) -> None:
        """Remove the networks that were made for the containers of an engine of qrealm and have none left."""
        doing = "remove networks without containers"
        with self._lock, self._wire.calling(doing) as client:
            for network in client.networks(filters={"label": f"{LABEL_ENGINE}={owner}"}):
                name = (network.get("Labels") or {}).get(LABEL_NETWORK)
                ours = name is not None and network["Driver"] == self._kind
                if ours and not self._holders(client, f"{LABEL_NETWORK}={name}"):
                    self._removed(network["Id"])

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

    def _removed(self, network_id: str) -> None:
        deadline = time.monotonic() + _DETACH_SECONDS_MAX
        while True:
            try:
                with self._wire.calling(f"remove network {network_id[:12]}") as client:
                    client.remove_network(network_id)
            except EngineRefusalError as refused:
                # Somebody else's container may be in it. It stays, and goes with the next that goes.
                leaving = self._kind == "overlay" and "in use" in refused.message
                if not leaving or time.monotonic() > deadline:
                    return
            else:
                break
            time.sleep(_POLL_S)
        # A swarm lists for a moment what is gone, and the next of this name would be taken for it.
        with self._wire.calling(f"look for network {network_id[:12]}") as client:
            while client.networks(ids=[network_id]) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
