"""Containers of an imported state that another engine still has."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from qrealm.base.errors import EngineRefusalError, NameTakenError, QrealmError
from qrealm.control.containers.context import Context, log
from qrealm.control.containers.labels import runs
from qrealm.control.containers.values import ContainerRecord, NodeRecord, NodeState, Phase, Wanted
from qrealm.fleet.containers.protocol import (
    LABEL_CONTAINER,
    LABEL_ENGINE,
    ContainerFacts,
    ContainerSpec,
    Mount,
)

LOOKS_AT_ONCE = 8
LOOK_S = 10.0
"""How long a node may take to tell what it has; one that does not answer is left out."""

_GIVEN_NAME = re.compile(r"[0-9a-f]{64}")
"""As engines call volumes to which nobody gave a name."""

Foreign = Mapping[str, Sequence[tuple[str, ContainerFacts]]]
"""By id of a container the nodes where another engine has it, and what they say of it there."""


def foreign(context: Context, nodes: Iterable[NodeRecord], records: Sequence[ContainerRecord]) -> Foreign:
    """Those of some containers that another engine has on these nodes, by their labels."""

    def look(node: NodeRecord) -> list[tuple[str, str, ContainerFacts]]:
        try:
            driver = context.drivers.of(node, LOOK_S)
            return [
                (record.id, node.name, facts)
                for record in records
                for facts in driver.find({LABEL_CONTAINER: record.id})
                if facts.labels.get(LABEL_ENGINE, context.store.engine_id) != context.store.engine_id
            ]
        except QrealmError as problem:
            log.warning("import-state cannot look at node %s: %s", node.name, problem)
        except Exception:  # noqa: BLE001 - of one node: the others are looked at all the same
            log.exception("import-state cannot look at node %s", node.name)
        return []

    asked = [node for node in nodes if node.state is not NodeState.LOST]
    found: dict[str, list[tuple[str, ContainerFacts]]] = defaultdict(list)
    with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="look") as pool:
        for rows in pool.map(look, asked):
            for container_id, node, facts in rows:
                found[container_id].append((node, facts))
    return found


def check_nobodys(there: Foreign, names: Mapping[str, str]) -> None:
    """Raises NameTakenError for containers that another engine has; `names` by id."""
    if there:
        raise NameTakenError(
            "import-state got containers that another engine has; nothing was changed: "
            f"{_told(there, names)}",
            hint="end that engine and import with --take-over, which stops each and makes it again; or "
            "remove them there first",
        )


def taken_over(record: ContainerRecord, there: Foreign, exporter: str) -> ContainerRecord:
    """The record of a container that is to replace the one that the exporter has: on the same node, running
    if that runs. Until then it has the id that the node's engine gave that one. Volumes to which the engine
    gave a name itself, and that can outlive that one, it mounts by this name, as Compose does when it makes a
    container anew: an image that declares one keeps a database there.

    Raises:
        NameTakenError: it is not the exporter that has it; or it has several.
    """
    copies = there.get(record.id, ())
    if not copies:
        return record
    theirs = [(node, facts) for node, facts in copies if facts.labels[LABEL_ENGINE] == exporter]
    meant = [copy for copy in theirs if copy[1].engine_id == record.engine_id] or theirs
    if len(meant) != 1 or len(theirs) < len(copies):
        raise NameTakenError(
            "import-state can take over what the engine has that the state was exported from, "
            f"{exporter}, one container for each; nothing was changed: "
            f"{_told({record.id: copies}, {record.id: record.name})}",
            hint="remove what is not meant, or export the state of the engine that has them",
        )
    ((node, facts),) = meant
    wanted = Wanted.RUNNING if runs(facts) else Wanted.STOPPED
    mounted = _mounted(record)
    kept = [Mount(name, path) for path, name in facts.volume_names.items() if path not in mounted]
    return replace(
        record,
        spec=replace(record.spec, mounts=(*record.spec.mounts, *kept)),
        node=node,
        engine_id=facts.engine_id,
        phase=Phase.MAKING_AGAIN,
        wanted=wanted,
        begun=None,
        data_node=None,
    )


def check_volumes_stay(replaced: Iterable[ContainerRecord], there: Foreign) -> None:
    """Raises EngineRefusalError when volumes without a name would be lost with what is to be replaced, or
    might be because nobody can see them."""
    told = []
    for record in replaced:
        for node, facts in there[record.id]:
            lost = [path for path in facts.volumes if path not in _mounted(record)]
            if lost:
                told.append(f"container {record.name!r} on node {node!r}: {', '.join(lost)}")
            elif not facts.volumes_known:
                told.append(
                    f"container {record.name!r} on node {node!r}: what it keeps on that member of the swarm "
                    "cannot be seen from this manager"
                )
    if told:
        raise EngineRefusalError(
            "import-state --take-over would lose what containers keep in volumes without a name, which go "
            f"with them there; nothing was changed: {'; '.join(told)}",
            hint="copy the data out first, where there is any; then, to give up what is in the volumes, add "
            "--lose-volumes",
        )


def volumes_kept(before: Iterable[ContainerRecord], replaced: Mapping[str, ContainerRecord]) -> list[str]:
    """Which volumes containers go on with that were taken over, in words."""
    return [
        f"{now.name}:{mount.target} is the volume {mount.source} of node {now.node}"
        for record in before
        if (now := replaced.get(record.id)) is not None
        for mount in now.spec.mounts
        if mount not in record.spec.mounts
    ]


def carried(record: ContainerRecord, declared: ContainerSpec) -> tuple[Mount, ...]:
    """What a container mounts because it was taken over, and not because its user says so in `declared`: by
    a name that an engine gave, at a folder of which `declared` says nothing."""
    said = {mount.target for mount in declared.mounts}
    return tuple(
        mount
        for mount in record.spec.mounts
        if _GIVEN_NAME.fullmatch(mount.source) and mount.target not in said
    )


def _mounted(record: ContainerRecord) -> set[str]:
    """Folders inside at which a container mounts something by name."""
    return {mount.target.rstrip("/") or "/" for mount in record.spec.mounts}


def _told(there: Foreign, names: Mapping[str, str]) -> str:
    return "; ".join(
        f"container {names[container_id]!r} is on node {node!r} and belongs to the engine "
        f"{facts.labels[LABEL_ENGINE]:.40}"
        for container_id, copies in there.items()
        for node, facts in copies
    )
