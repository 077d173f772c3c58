"""What the parts of the container engine share: store, clock, drivers, and how they take turns."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from qrealm.base.clock import Clock
from qrealm.base.errors import NoSuchContainerError
from qrealm.control.containers.asker import asker, check_wanted
from qrealm.control.containers.driver_pool import DriverPool
from qrealm.control.containers.files import Config
from qrealm.control.containers.labels import Seals
from qrealm.control.containers.registers import DensitySimulator
from qrealm.control.containers.values import ContainerRecord
from qrealm.control.store.containers import ContainerStore

log = logging.getLogger("qrealm.containers")

LOOK_S = 0.25
"""How often who waits for a turn looks whether anybody still waits for them."""
_MEASUREMENTS = "measurements"


@dataclass(frozen=True)
class AtWork:
    """Who holds a name: what is done to the container, and since when, as `time.monotonic` tells it."""

    name: str
    doing: str
    since_s: float


@dataclass
class NameLocks:
    """One lock for each name, so that two commands about one container take turns and others do not wait."""

    _guard: threading.Lock = field(default_factory=threading.Lock)
    _locks: dict[str, tuple[threading.RLock, int]] = field(default_factory=dict)
    _at_work: dict[str, AtWork] = field(default_factory=dict)

    @contextmanager
    def hold(
        self, name: str, doing: str, *, begins: bool = False, one_of_several: bool = False
    ) -> Iterator[None]:
        """Hold the lock of a name. It is forgotten when nobody holds it or waits for it.

        Args:
            doing: what those are told who have to wait, as in "create".
            begins: what somebody asked for begins with this. When they are gone by then, it does not.
            one_of_several: as `begins`, and it has not begun with this: whoever holds all that it needs tells
                by `asker.begin`.

        Raises:
            CancelledRunError: it would begin, and whoever asked for it is gone.
        """
        with self._counted(name) as lock, _taken(lock, begins or one_of_several, not one_of_several):
            before = self._now_doing(name, AtWork(name, doing, time.monotonic()))
            try:
                yield
            finally:
                self._now_doing(name, before)

    def at_work(self) -> tuple[AtWork, ...]:
        """Who holds which name."""
        with self._guard:
            return tuple(self._at_work.values())

    def _now_doing(self, name: str, work: AtWork | None) -> AtWork | None:
        """Note what the holder of a name does, None for nothing more; what it did before. What is done inside
        of something else is part of that."""
        with self._guard:
            before = self._at_work.get(name)
            if work is None:
                del self._at_work[name]
            else:
                self._at_work[name] = before or work
            return before

    @contextmanager
    def try_hold(self, name: str) -> Iterator[bool]:
        """Hold the lock of a name unless somebody else does; whether it is held."""
        with self._counted(name) as lock:
            got = lock.acquire(blocking=False)
            try:
                yield got
            finally:
                if got:
                    lock.release()

    @contextmanager
    def _counted(self, name: str) -> Iterator[threading.RLock]:
        with self._guard:
            lock, users = self._locks.get(name, (threading.RLock(), 0))
            self._locks[name] = (lock, users + 1)
        try:
            yield lock
        finally:
            with self._guard:
                lock, users = self._locks[name]
                if users == 1:
                    del self._locks[name]
                else:
                    self._locks[name] = (lock, users - 1)


@contextmanager
def _taken(lock: threading.RLock, looks: bool, begun: bool) -> Iterator[None]:
    """Hold a lock; while waiting for it look whether anybody still wants what it is for. What they asked for
    has `begun` when it is held."""
    who = asker()
    looks = looks and who is not None and not who.begun
    if looks:
        check_wanted()
    while not lock.acquire(timeout=LOOK_S if looks else -1):
        check_wanted()
    try:
        if looks:
            check_wanted()
        if who is not None and begun:
            who.begun = True
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class Context:
    """Handed to every part of the engine.

    Attributes:
        config: what the user chose; never changes while the engine is open.
        home: the folder of everything that the engine keeps.
        store: the database; it is the truth, nothing that must last is kept elsewhere.
        clock: tells the time of decay, events and losses.
        drivers: a connection to each node.
        simulator: what computes the registers.
        seals: tells this engine's containers from others.
        planning: held from looking at the cluster to writing down what was decided, never while an engine is
            spoken to or a scheduler thinks.
        scheduling: held while a scheduler thinks and until its answer is written down, so that the next one
            sees it. Losses and registers do without.
        names: held by whoever changes one container, engine calls included.
        making: names of the clusters that this process is making.

    Who needs several takes them in this order: names, `scheduling`, `planning`, the store's transaction.
    """

    config: Config
    home: Path
    store: ContainerStore
    clock: Clock
    drivers: DriverPool
    simulator: DensitySimulator
    seals: Seals
    planning: threading.RLock = field(default_factory=threading.RLock)
    scheduling: threading.RLock = field(default_factory=threading.RLock)
    names: NameLocks = field(default_factory=NameLocks)
    making: set[str] = field(default_factory=set)

    @property
    def t2_s(self) -> float:
        """Seconds in which coherence falls to 1/e."""
        return self.config.decoherence_time_ms / 1000.0

    @property
    def t1_s(self) -> float:
        """Seconds in which populations relax to 1/e of what sets them apart from the declared ones."""
        return self.config.relaxation_time_ms / 1000.0

    def random(self) -> np.random.Generator:
        """A generator for one measurement. With a seed in the configuration the n-th measurement of a store
        is always the same, whenever the daemon was started. Call it inside a transaction."""
        seed = self.config.seed
        if seed is None:
            return np.random.default_rng()
        number = int(self.store.settings.get(_MEASUREMENTS) or 0)
        self.store.settings.set(_MEASUREMENTS, str(number + 1))
        return np.random.default_rng([seed, number])

    def record(self, container_id: str) -> ContainerRecord | None:
        """The container with this id, or None."""
        try:
            found = self.store.containers.find(container_id)
        except NoSuchContainerError:
            return None
        if found.id == container_id:
            return found
        # Another container has this id for a name.
        return next((each for each in self.store.containers.all() if each.id == container_id), None)

    def change(self, container_id: str, **changes: Any) -> ContainerRecord:
        """Change fields of a container's record as it stands now, which may be newer than the caller's copy.

        Raises:
            NoSuchContainerError: it is gone.
        """
        with self.store.transaction():
            record = self.record(container_id)
            if record is None:
                raise NoSuchContainerError(f"there is no container {container_id[:12]!r} any more")
            record = replace(record, **changes)
            self.store.containers.save(record)
        return record

    def change_if_same(self, record: ContainerRecord, **changes: Any) -> ContainerRecord:
        """Change fields of a container's record, unless it has been given to another node since the caller
        looked; the record as it then is.

        Raises:
            NoSuchContainerError: it is gone.
        """
        with self.store.transaction():
            now = self.change(record.id)
            same = (now.phase, now.node, now.engine_id) == (record.phase, record.node, record.engine_id)
            return self.change(record.id, **changes) if same else now

    def tell(self, kind: str, action: str, name: str, attributes: Mapping[str, str] | None = None) -> None:
        """Write an event down."""
        log.info("%s %s %s %s", kind, action, name, dict(attributes or {}))
        self.store.events.append(self.clock.now(), kind, action, name, dict(attributes or {}))
