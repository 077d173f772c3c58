"""Splitting matrices: singular values with a bound on what is dropped, QR, and the threads of the library
that does it."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import InternalError, ResourceError
from qrealm.base.units import format_gib

Tensor = NDArray[Any]
"""complex64 or complex128, by the run's precision."""

ADDRESSES_BYTES = 512 * 2**20
"""What SciPy's libraries map and OpenBLAS sets aside for its threads."""

_EPSILON = {np.dtype(np.complex64): 6e-8, np.dtype(np.complex128): 1.1e-16}


@dataclass(slots=True)
class Tally:
    """What truncation dropped so far.

    Attributes:
        log_fidelity: sum of log(1 - w) over all splits, w being the weight that a split dropped. The product
            of 1 - w estimates |<exact|kept>|^2: Y. Zhou, E. M. Stoudenmire and X. Waintal,
            arXiv:2002.07730, section IV.
        discarded: sum of w.
        splits: how many there were.
        bond_max_reached: largest bond that there was.
    """

    log_fidelity: float = 0.0
    discarded: float = 0.0
    splits: int = 0
    bond_max_reached: int = 1

    def add(self, weight: float, bond: int) -> None:
        """Note one split."""
        self.splits += 1
        self.discarded += weight
        self.log_fidelity += float(np.log1p(-weight))
        self.bond_max_reached = max(self.bond_max_reached, bond)

    @property
    def error(self) -> float:
        """Share of the weight that is estimated to be lost: 1 - product of (1 - w)."""
        return abs(float(np.expm1(self.log_fidelity)))

    def copy(self) -> Tally:
        """An independent copy."""
        return Tally(self.log_fidelity, self.discarded, self.splits, self.bond_max_reached)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a split keeps.

    Attributes:
        bond_max: most singular values; None for no limit.
        truncation: share of the weight that may be dropped.
    """

    bond_max: int | None
    truncation: float


def split(matrix: Tensor, limits: Limits, tally: Tally) -> tuple[Tensor, NDArray[Any], Tensor]:
    """(u, s, vh) of the largest singular values, the sum of s^2 scaled to 1; shapes (m, k), (k,), (k, n)."""
    u, s, vh = _svd(matrix)
    weights = s.astype(np.float64) ** 2
    total = float(weights.sum())
    if not total > 0:
        raise InternalError("a matrix product state lost its norm")
    # Below this the singular values are the rounding of the decomposition itself.
    rounding = max(matrix.shape) * (2 * _EPSILON[matrix.dtype]) ** 2
    tail = np.cumsum(weights[::-1])[::-1]
    keep = int(np.count_nonzero(tail > max(limits.truncation, rounding) * total))
    keep = max(1, keep if limits.bond_max is None else min(keep, limits.bond_max))
    kept = float(weights[:keep].sum())
    dropped = float(tail[keep]) / total if keep < len(s) else 0.0
    tally.add(min(dropped, 1 - 1e-16), keep)
    return u[:, :keep], s[:keep] * s.dtype.type(kept**-0.5), vh[:keep]


def left_orthogonal(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(q, r) with orthonormal columns in q."""
    q, r = np.linalg.qr(matrix)
    return q, r


def right_orthogonal(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(l, q) with matrix = l q and orthonormal rows in q."""
    q, r = np.linalg.qr(matrix.conj().T)
    return np.ascontiguousarray(r.conj().T), np.ascontiguousarray(q.conj().T)


def _svd(matrix: Tensor) -> tuple[Tensor, NDArray[Any], Tensor]:
    """All singular values, descending."""
    plan = _decomposition(matrix.dtype == np.complex64)
    # LAPACK wants columns first: it gets the transpose as it lies, and its factors come back transposed.
    v, s, u, info = plan(np.ascontiguousarray(matrix).T)
    if info or not np.isfinite(s).all():
        u, s, v = np.linalg.svd(matrix, full_matrices=False)  # raises LinAlgError when it fails too
        return u, s.astype(matrix.real.dtype), v
    return u.T, s, v.T


@cache
def _decomposition(single: bool) -> Callable[[Tensor], tuple[Tensor, NDArray[Any], Tensor, int]]:
    from scipy.linalg import lapack

    routine, space = (lapack.cgesdd, lapack.cgesdd_lwork) if single else (lapack.zgesdd, lapack.zgesdd_lwork)

    @cache
    def workspace(rows: int, columns: int) -> int:
        size, _ = space(rows, columns, compute_uv=1, full_matrices=0)
        return int(size.real)

    def decompose(matrix: Tensor) -> tuple[Tensor, NDArray[Any], Tensor, int]:
        lwork = workspace(*matrix.shape)
        return routine(matrix, compute_uv=1, full_matrices=0, lwork=lwork)  # type: ignore[no-any-return]

    return decompose


# ---- threads of the linear-algebra library -------------------------------------------------------


@dataclass(slots=True)
class _Pool:
    """Who needs the library on one thread, and what it had before."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    before: list[int] = field(default_factory=list)


_pool = _Pool()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenBLAS on one thread while the block runs.

    Matrices here have a few hundred rows: on several threads their decompositions wait for each other longer
    than they work, most of all where other processes run. And one thread gives the same numbers whatever the
    machine. Where NumPy and SciPy were built with another library, nothing is changed.
    """
    libraries = _libraries()
    with _pool.lock:
        if not _pool.users:
            _pool.before = [get() for get, _ in libraries]
            for _, put in libraries:
                put(1)
        _pool.users += 1
    try:
        yield
    finally:
        with _pool.lock:
            _pool.users -= 1
            if not _pool.users:
                for (_, put), before in zip(libraries, _pool.before, strict=True):
                    put(before)


def _check_address_space() -> None:
    """Refuse to load SciPy's linear algebra where it would not fit: where the operating system limits the
    addresses of the process, OpenBLAS waits forever for memory that it will not get."""
    if "scipy.linalg" in sys.modules or sys.platform != "linux":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    if limit - used < ADDRESSES_BYTES:
        raise ResourceError(
            f"loading SciPy's linear algebra takes {format_gib(ADDRESSES_BYTES)} of addresses; the limit "
            f"leaves {format_gib(max(0, limit - used))}",
            hint="raise the limit (ulimit -v)",
        )


@cache
def _libraries() -> list[tuple[Callable[[], int], Callable[[int], None]]]:
    """(threads now, set the threads) of each OpenBLAS that NumPy and SciPy were linked with."""
    _check_address_space()
    from scipy.linalg import _flapack

    found: list[tuple[Callable[[], int], Callable[[int], None]]] = []
    for module in (np.linalg._umath_linalg, _flapack):
        try:
            library = ctypes.CDLL(module.__file__)  # finds the symbols of what the module was linked with
        except OSError:
            continue
        for prefix in ("scipy_openblas", "openblas"):
            for suffix in ("64_", "", "_64"):
                get = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
                put = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
                if get is not None and put is not None:
                    put.restype = None
                    found.append((get, put))
    return found
