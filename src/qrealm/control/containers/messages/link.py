"""The link over which two entangled containers agree on a key.

The register of a group is not spent on messages. Being in one group is what gives two containers a link, and
the link is a source of pairs: for every message it gives both ends fresh pairs (|00⟩ + |11⟩)/√2, each half of
which waits `WAIT_S` until it is measured, under the T1 and T2 of the registers. So a short decoherence time
makes a noisy link, and a very short one none. The daemon plays both ends and the link: what is simulated is
the physics of the pairs, not two machines.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError
from qrealm.network import pairs_needed

WAIT_S = 0.01
"""How long each half of a pair is stored before it is measured, in seconds: the way there and the turn of the
other end."""

_STEPS = 40


def link_state(age_s: float, t1_s: float, t2_s: float) -> NDArray[np.complex128]:
    """Density matrix of a pair whose halves waited for `age_s`, shape (4, 4); the first end has qubit 0.

    Each half goes through thermal relaxation towards the even mixture of 0 and 1: what is diagonal relaxes
    with T1, what is not vanishes with T2. From a perfect pair that gives ⟨ZZ⟩ = e^(-2t/T1) and
    ⟨XX⟩ = -⟨YY⟩ = e^(-2t/T2).

    Args:
        age_s: below 0, as when a clock was set back, counts as 0.
        t1_s, t2_s: above 0, T2 at most T1.

    Raises:
        RequestError: a time that is not finite, or T1 and T2 that break the rule.
    """
    if not (math.isfinite(age_s) and math.isfinite(t1_s) and 0.0 < t2_s <= t1_s):
        raise RequestError(
            f"a link of age {age_s!r} s with T1 {t1_s!r} s and T2 {t2_s!r} s; times are finite, 0 < T2 <= T1"
        )
    age = max(0.0, age_s)
    in_z, in_x = math.exp(-2 * age / t1_s), math.exp(-2 * age / t2_s)
    state = np.diag([1 + in_z, 1 - in_z, 1 - in_z, 1 + in_z]).astype(np.complex128) / 4
    state[0, 3] = state[3, 0] = in_x / 2
    return state


def link_lifetime_s(t1_s: float, t2_s: float) -> float:
    """Greatest age at which the link still gives a key, in seconds, to a millionth of T1."""
    alive, dead = 0.0, t1_s
    for _ in range(_STEPS):
        if dead - alive < 1e-6 * t1_s:
            break
        middle = (alive + dead) / 2
        if pairs_needed(link_state(middle, t1_s, t2_s)) is None:
            dead = middle
        else:
            alive = middle
    return alive
