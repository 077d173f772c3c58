"""`ReadoutError`: a detector that reports wrong bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from qrealm.base.errors import ChannelError

READOUT_BITS_MAX = 6
"""Bits whose faults may depend on one another: 2^6 columns of 2^6 probabilities."""


class ReadoutError:
    """How a detector misreads k bits: a matrix of probabilities. Read-only, compared by value.

    Args:
        assignment: float64, shape (2^k, 2^k), entry [read, true]; every column adds up to 1. The first bit is
            the least significant.
        name: what errors and metadata call it.

    Raises:
        ChannelError: another shape, entries outside 0 to 1, or a column that does not add up to 1.
    """

    __slots__ = ("assignment", "name")

    def __init__(self, assignment: Any, name: str = "readout") -> None:
        try:
            matrix = np.array(assignment, dtype=np.float64)
        except (TypeError, ValueError) as problem:
            raise ChannelError(f"the readout error {name!r} needs a matrix of numbers: {problem}") from None
        size = len(matrix) if matrix.ndim == 2 else 0
        square = matrix.ndim == 2 and matrix.shape[1] == size
        if not square or size & (size - 1) or not 2 <= size <= 2**READOUT_BITS_MAX:
            raise ChannelError(
                f"the readout error {name!r} got an array of shape {matrix.shape}; the rule is (2^k, 2^k) "
                f"for k bits, k from 1 to {READOUT_BITS_MAX}"
            )
        if not (matrix >= 0).all() or not np.abs(matrix.sum(axis=0) - 1).max() <= 1e-9:
            raise ChannelError(
                f"the readout error {name!r} got columns that add up to {matrix.sum(axis=0).tolist()}; "
                "the rule is probabilities, each column (one true value) adding up to 1"
            )
        matrix += 0.0  # no -0.0: what is equal has equal bytes
        matrix.setflags(write=False)
        self.assignment = matrix
        self.name = name

    @classmethod
    def flips(cls, read_1_given_0: float, read_0_given_1: float, name: str = "readout") -> ReadoutError:
        """One bit that is misread with these probabilities. Raises ChannelError when one is none."""
        for what, value in (("read_1_given_0", read_1_given_0), ("read_0_given_1", read_0_given_1)):
            if not isinstance(value, int | float | np.floating | np.integer) or not 0 <= value <= 1:
                raise ChannelError(
                    f"the readout error {name!r} got {value!r:.40} as {what}, which is no probability; the "
                    "rule is 0 to 1"
                )
        return cls([[1 - read_1_given_0, read_0_given_1], [read_1_given_0, 1 - read_0_given_1]], name)

    @property
    def num_bits(self) -> int:
        """Number of bits that it reads."""
        return len(self.assignment).bit_length() - 1

    def power(self, exponent: float) -> ReadoutError:
        """This error `exponent` times over: the power of its matrix.

        Raises:
            ChannelError: a negative exponent, or one for which the result has probabilities below 0.
        """
        value = float(exponent) if isinstance(exponent, int | float) else float("nan")
        if not 0 <= value < 1e6:
            raise ChannelError(
                f"power of the readout error {self.name!r} got {exponent!r}; the rule is 0 to 10^6"
            )
        if value == int(value):
            return ReadoutError(np.linalg.matrix_power(self.assignment, int(value)), self.name)
        from scipy.linalg import fractional_matrix_power

        with np.errstate(all="ignore"):
            scaled = np.asarray(fractional_matrix_power(self.assignment, value))
        low = float(scaled.real.min())
        if not np.isfinite(scaled).all() or np.abs(scaled.imag).max() > 1e-9 or low < -1e-9:
            raise ChannelError(
                f"the readout error {self.name!r} to the power {value:g} is none: it would have the "
                f"probability {low:.3g}",
                hint="take a whole number, which repeats it",
            )
        kept = np.clip(scaled.real, 0.0, None)
        return ReadoutError(kept / kept.sum(axis=0), self.name)

    def digest_bytes(self) -> bytes:
        """What tells it from other readout errors; names do not."""
        return self.assignment.tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReadoutError) and np.array_equal(self.assignment, other.assignment)

    def __hash__(self) -> int:
        return hash(self.assignment.tobytes())

    def __repr__(self) -> str:
        return f"ReadoutError({self.name!r}, {self.num_bits} bits)"

    def __reduce__(self) -> tuple[object, ...]:
        return (ReadoutError, (np.array(self.assignment), self.name))
