"""A token that is cancelled by the work itself, so that no test has to guess when it is under way."""

from __future__ import annotations

from collections.abc import Callable

from qrealm.base.cancel import CancelToken


class CancelledAtCheck(CancelToken):
    """Cancelled when the work looks at it for the nth time.

    Args:
        number: of that look, from 1.
        then: called at that look; None cancels it.

    Attributes:
        checks: how often the work has looked.
        checks_after: how often it looked when it was cancelled already: what has stopped looks no more.
    """

    def __init__(self, number: int, then: Callable[[], object] | None = None) -> None:
        super().__init__()
        self._number = number
        self._then = self.cancel if then is None else then
        self.checks = self.checks_after = 0

    @property
    def cancelled(self) -> bool:
        """Whether it was cancelled before this look or by it."""
        self.checks_after += super().cancelled
        self.checks += 1
        if self.checks == self._number:
            self._then()
        return super().cancelled
