"""Clusters whose making was cut off: what is written down before one is made, and how it is taken back."""

from __future__ import annotations

import json
from collections.abc import Iterable

from qrealm.control.containers.context import Context
from qrealm.control.containers.lifecycle import Lifecycle

_PREFIX = "making:"


def begin(context: Context, cluster: str) -> None:
    """Write down that a cluster is about to be made, and which of its containers are there already."""
    before = [record.id for record in context.store.containers.all(cluster)]
    context.store.settings.set(_PREFIX + cluster, json.dumps(before))


def end(context: Context, cluster: str) -> None:
    """The cluster is made, or nothing is left of it."""
    context.store.settings.delete(_PREFIX + cluster)


def begun(context: Context) -> Iterable[str]:
    """Names of the clusters that are being made, or were when the process ended."""
    return [name.removeprefix(_PREFIX) for name in context.store.settings.all(_PREFIX)]


def turn(cluster: str) -> str:
    """Name of the lock of whoever makes a cluster or takes it back; no container can have it."""
    return f"cluster:{cluster}"


def take_back(context: Context, lifecycle: Lifecycle, cluster: str) -> tuple[str, ...]:
    """Remove what the making of a cluster that did not end has made; the cluster's lock held.

    Returns:
        Names of what was removed.

    Raises:
        QrealmError: it cannot be removed now. It stays written down.
    """
    told = context.store.settings.get(_PREFIX + cluster)
    if told is None:
        return ()
    before = set(json.loads(told))
    made = [record.name for record in context.store.containers.all(cluster) if record.id not in before]
    for name in reversed(made):
        # With the volumes that their images declare: nobody was told yet that there are these containers.
        lifecycle.remove(name, force=True, volumes=True)
    end(context, cluster)
    return tuple(made)
