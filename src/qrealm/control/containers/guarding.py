"""A driver whose calls end when their node is given up, whatever its engine does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any, TypeVar

from qrealm.base.errors import EngineUnavailableError
from qrealm.fleet.containers.protocol import (
    GRACE_S,
    ContainerDriver,
    ContainerFacts,
    ContainerSpec,
    EngineFacts,
    ExecRun,
    ExecSpec,
    LogRequest,
    Output,
    PullProgress,
)

T = TypeVar("T")


class GuardedDriver:
    """Makes each call in a thread of its own, so that its caller can be let go while the engine hangs.

    A call that was let go may still have its effect, as one whose connection broke: who makes it has written
    down before what it is about to do.

    Args:
        driver: what the calls go to.
        name: of the engine, for messages.
        limit_s: the most that a call may take; None leaves it to the driver, which knows how long a stop or
            a pull may be.
    """

    def __init__(self, driver: ContainerDriver, name: str, limit_s: float | None = None) -> None:
        self._driver = driver
        self._name = name
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._under_way: set[Future[Any]] = set()
        self._closed = False

    def ping(self) -> None:
        self._call("ping", self._driver.ping)

    def facts(self) -> EngineFacts:
        return self._call("info", self._driver.facts)

    def tidy(self, owner: str) -> None:
        self._call("remove networks without containers", lambda: self._driver.tidy(owner))

    def has_image(self, image: str) -> bool:
        return self._call(f"look for image {image!r}", lambda: self._driver.has_image(image))

    def pull(self, image: str, progress: Callable[[PullProgress], None] | None = None) -> None:
        def told(step: PullProgress) -> None:
            if self._closed:
                raise self._gone(f"pull {image!r}")  # nobody listens any more: end the pull
            if progress is not None:
                progress(step)

        self._call(f"pull {image!r}", lambda: self._driver.pull(image, told))

    def create(self, spec: ContainerSpec) -> str:
        return self._call(f"create {spec.name!r}", lambda: self._driver.create(spec))

    def start(self, engine_id: str) -> None:
        self._call(f"start {engine_id[:12]}", lambda: self._driver.start(engine_id))

    def stop(self, engine_id: str, grace_s: float = GRACE_S) -> None:
        self._call(f"stop {engine_id[:12]}", lambda: self._driver.stop(engine_id, grace_s))

    def remove(self, engine_id: str, *, force: bool = False, volumes: bool = False) -> None:
        self._call(
            f"remove {engine_id[:12]}",
            lambda: self._driver.remove(engine_id, force=force, volumes=volumes),
        )

    def inspect(self, engine_id: str) -> ContainerFacts:
        return self._call(f"inspect {engine_id[:12]}", lambda: self._driver.inspect(engine_id))

    def find(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        return self._call("list containers", lambda: self._driver.find(labels))

    def glance(self, labels: Mapping[str, str]) -> Sequence[ContainerFacts]:
        return self._call("list containers", lambda: self._driver.glance(labels))

    def logs(self, engine_id: str, request: LogRequest) -> Iterator[Output]:
        return self._call(f"logs of {engine_id[:12]}", lambda: self._driver.logs(engine_id, request), _closed)

    def execute(self, engine_id: str, spec: ExecSpec) -> ExecRun:
        return self._call(
            f"run in {engine_id[:12]}",
            lambda: self._driver.execute(engine_id, spec),
            lambda run: _closed(run.output()),
        )

    def close(self) -> None:
        self.give_up().join()

    def give_up(self) -> threading.Thread:
        """Let every caller go at once; the thread that is returned closes the connections."""
        with self._lock:
            self._closed = True
            waiting = list(self._under_way)
        for future in waiting:
            with suppress(InvalidStateError):  # it was answered in this moment
                future.set_exception(self._gone("a call"))
        # A connection that is being made may take its whole limit to be closed.
        thread = threading.Thread(target=self._driver.close, name="close", daemon=True)
        thread.start()
        return thread

    def _call(self, doing: str, work: Callable[[], T], unwanted: Callable[[T], None] = lambda _: None) -> T:
        """Do it in a thread; `unwanted` gets an answer that comes after its caller was let go."""
        answer: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise self._gone(doing)
            self._under_way.add(answer)

        def carry_out() -> None:
            try:
                found = work()
            except BaseException as problem:  # noqa: BLE001 - raised in the caller's thread
                with suppress(InvalidStateError):
                    answer.set_exception(problem)
            else:
                try:
                    answer.set_result(found)
                except InvalidStateError:
                    unwanted(found)

        threading.Thread(target=carry_out, name=doing, daemon=True).start()
        try:
            return answer.result(self._limit_s)
        except TimeoutError:
            if not answer.cancel():
                return answer.result()  # it came in this moment
            raise EngineUnavailableError(
                f"{self._name}: {doing}: no answer within {self._limit_s:g} s"
            ) from None
        finally:
            with self._lock:
                self._under_way.discard(answer)

    def _gone(self, doing: str) -> EngineUnavailableError:
        return EngineUnavailableError(
            f"{self._name}: {doing}: broken off, the node does not answer or is closed",
            hint="qdocker nodes ls shows the nodes",
        )


def _closed(stream: Iterator[Output]) -> None:
    """Close what nobody reads; what has no `close` holds nothing."""
    getattr(stream, "close", lambda: None)()
