"""Jobs: work in a pool of threads that can be asked after, waited for and stopped while it runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import cache
from time import monotonic
from typing import Any, Generic, TypeVar
from uuid import uuid4

from qiskit.primitives import BasePrimitiveJob
from qiskit.providers import JobError, JobStatus, JobTimeoutError, JobV1
from qiskit.providers.jobstatus import JOB_FINAL_STATES

from qrealm.base.cancel import CancelToken, watching
from qrealm.base.errors import CancelledRunError
from qrealm.base.machine import cores_default

T = TypeVar("T")


@cache
def _pool() -> ThreadPoolExecutor:
    """The threads of all jobs. Runs that are too large to be in memory together wait for each other there."""
    return ThreadPoolExecutor(max(2, cores_default()), thread_name_prefix="qrealm-job")


class Task(Generic[T]):
    """Some work of one job.

    Args:
        work: what to do; it looks at the task's cancel token through `qrealm.base.cancel.check`.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._token = CancelToken()
        self._future: Future[T] | None = None

    def start(self) -> None:
        """Hand the work to the pool. Raises Qiskit's JobError the second time."""
        if self._future is not None:
            raise JobError("the job was submitted already")
        self._future = _pool().submit(self._watched)

    def cancel(self) -> bool:
        """Ask the work to stop; it does so within a fraction of a second.

        Returns:
            Whether there was still something to stop.
        """
        future = self._submitted()
        if future.done():
            return False
        self._token.cancel()
        future.cancel()
        return True

    def status(self) -> JobStatus:
        """Where the work stands; RUNNING until a cancelled run has really stopped."""
        future = self._future
        if future is None:
            return JobStatus.INITIALIZING
        if future.cancelled():
            return JobStatus.CANCELLED
        if not future.done():
            return JobStatus.RUNNING if future.running() else JobStatus.QUEUED
        problem = future.exception()
        if problem is None:
            return JobStatus.DONE
        return JobStatus.CANCELLED if isinstance(problem, CancelledRunError) else JobStatus.ERROR

    def result(self, timeout: float | None = None) -> T:
        """Wait for the work and return what it made; what it raised is raised here. Ctrl-C while waiting
        stops the work.

        Args:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            CancelledRunError: it was cancelled.
            JobTimeoutError: (Qiskit's) it takes longer than `timeout`.
        """
        future = self._submitted()
        try:
            return future.result(timeout)
        except CancelledError:
            raise CancelledRunError("the job was cancelled before it began") from None
        except TimeoutError:
            if future.done():
                raise
            raise JobTimeoutError(f"the job was not done after {timeout} seconds") from None
        except KeyboardInterrupt:
            self.cancel()
            raise

    def wait(self, timeout: float | None) -> bool:
        """Wait until the work has ended, in whatever way, and say whether it has."""
        return bool(wait_for([self._submitted()], timeout).done)

    def _watched(self) -> T:
        with watching(self._token):
            return self._work()

    def _submitted(self) -> Future[T]:
        if self._future is None:
            raise JobError("the job was not submitted yet")
        return self._future


class _OfTask:
    """What every job answers by asking its task."""

    _task: Task[Any]

    def result(self, timeout: float | None = None) -> Any:
        """Wait, and return Qiskit's `Result` of circuits or `PrimitiveResult` of pubs.

        Raises:
            CancelledRunError: the job was cancelled.
            JobTimeoutError: (Qiskit's) it takes longer than `timeout` seconds.
            QrealmError: what the run raised.
        """
        return self._task.result(timeout)

    def status(self) -> JobStatus:
        """Qiskit's `JobStatus`: QUEUED, RUNNING, then DONE, CANCELLED or ERROR."""
        return self._task.status()

    def cancel(self) -> bool:
        """Stop the run; False when it had ended already."""
        return self._task.cancel()


class QrealmJob(_OfTask, JobV1):  # type: ignore[misc]
    """Circuits that `QrealmBackend.run` was given."""

    def __init__(self, backend: Any, work: Callable[[str], Any]) -> None:
        super().__init__(backend, f"qrealm-{uuid4().hex}")
        self._task = Task(lambda: work(self.job_id()))

    def submit(self) -> None:
        """Begin. `QrealmBackend.run` has done that already."""
        self._task.start()

    def wait_for_final_state(
        self,
        timeout: float | None = None,
        wait: float = 5,
        callback: Callable[..., object] | None = None,
    ) -> None:
        """Wait until the job has ended, in whatever way; returns at once when it does.

        Args:
            timeout: seconds to wait; None for as long as it takes.
            wait: seconds between two calls of `callback`.
            callback: called with the job's id, its status and the job while it has not ended.

        Raises:
            JobTimeoutError: (Qiskit's) it takes longer than `timeout` seconds.
        """
        end = math.inf if timeout is None else monotonic() + timeout
        while not self._task.wait(0):
            left = end - monotonic()
            if left <= 0:
                raise JobTimeoutError(f"the job was not done after {timeout} seconds")
            if callback is not None:
                callback(self.job_id(), self.status(), self)
                left = min(left, wait)
            self._task.wait(None if left == math.inf else left)


class QrealmPrimitiveJob(_OfTask, BasePrimitiveJob):  # type: ignore[misc]
    """Pubs that a primitive was given."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(f"qrealm-{uuid4().hex}")
        self._task = Task(work)
        self._task.start()

    def done(self) -> bool:
        """Whether it ended well."""
        return bool(self.status() == JobStatus.DONE)

    def running(self) -> bool:
        """Whether it runs now."""
        return bool(self.status() == JobStatus.RUNNING)

    def cancelled(self) -> bool:
        """Whether it was cancelled and has stopped."""
        return bool(self.status() == JobStatus.CANCELLED)

    def in_final_state(self) -> bool:
        """Whether it ended, in whatever way."""
        return self.status() in JOB_FINAL_STATES
