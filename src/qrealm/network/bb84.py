"""BB84 with entangled pairs: two ends agree on a key, and find out whether somebody listens.

The protocol is the entanglement-based form of Bennett and Brassard's (Bennett, Brassard, Mermin, Physical
Review Letters 68, 557 (1992)). Each pair is measured in Z or X, drawn by each end for itself; pairs
measured in the same basis stay. All X bits and a share of the Z bits are compared in the open; the other Z
bits become the key: Cascade corrects them, a hash verifies that, and a Toeplitz hash shortens them to the
length of Tomamichel et al.

What is simulated: the physics of the pairs, drawn from their density matrix, and everything that both ends do
with their bits. What is not: the authenticated open channel between them, which is taken as given. Parities
are counted as leaked when the first end discloses them; the second end's answers tell where bits differ,
which for ideal measurements of pairs says nothing of the errors in X (see Tupkary and Lütkenhaus,
arXiv:2307.00576, on when that does not hold).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qrealm.base.errors import RequestError
from qrealm.network.error_statistics import (
    binary_entropy,
    chance_of_errors,
    sampling_margin,
    secret_length,
)
from qrealm.network.pair_states import (
    X,
    Z,
    checked_pair,
    error_rates,
    intercepted,
    opposite_bases,
    outcome_probabilities,
)
from qrealm.network.privacy_amplification import toeplitz_hash, toeplitz_seed
from qrealm.network.reconciliation import Bits, cascade

ERROR_RATE_MAX = 0.11
"""Above it no key is made: 1 - 2h(Q) is 0 at 11.0 %. Shor and Preskill, Physical Review Letters 85, 441
(2000)."""

LISTENED_CHANCE = 1e-6
"""The ends say that somebody listened when an undisturbed link would show so many errors less often than
this."""

KEY_BITS_MIN = 256
PAIRS_MIN = 20_000
PAIRS_MAX = 1_000_000
VERIFICATION_BITS = 64
_COMPARED_SHARE = 0.2  # of the Z bits
_CHUNK = 1 << 17

Abort = Literal["listened", "noise", "verification", "length"]


@dataclass(frozen=True, slots=True)
class KeyAgreement:
    """What two ends found, and the key that they have now.

    Attributes:
        pairs: entangled pairs that were measured.
        sifted: pairs that both ends measured in the same basis.
        compared: bits that were compared in the open; they are no part of the key.
        errors: compared bits that broke the relation.
        error_rate_z, error_rate_x: share of the compared bits of each basis that broke it.
        error_rate_bound: the error rate that the key's bits have in the other basis is no higher, but with a
            probability below 1e-10.
        declared_z, declared_x: error rates that the link's own noise explains.
        chance: probability of this many errors, or more, in either basis on an undisturbed link.
        leaked_bits: parities and hash bits that error correction and verification disclosed.
        key: whole bytes; empty when there is none. `key_of_second` is what the second end has.
        aborted: why there is no key; None when there is one.
        reason: what the error rate says, in one sentence.
    """

    pairs: int
    sifted: int
    compared: int
    errors: int
    error_rate_z: float
    error_rate_x: float
    error_rate_bound: float
    declared_z: float
    declared_x: float
    chance: float
    leaked_bits: int
    key: bytes
    key_of_second: bytes
    aborted: Abort | None
    reason: str

    @property
    def error_rate(self) -> float:
        """Share of all compared bits that broke the relation."""
        return self.errors / self.compared if self.compared else 0.0

    @property
    def listened(self) -> bool:
        """Whether the ends say that somebody listened: `chance` is below `LISTENED_CHANCE`.

        An error rate above 11 % that the link's own noise explains also gives no key, but accuses nobody.
        """
        return self.chance < LISTENED_CHANCE


@dataclass(frozen=True, eq=False, slots=True)
class _Sifted:
    """Bits of both ends, the second's already turned where the relation is opposite: key bits and
    compared."""

    pairs: int
    sifted: int
    key_first: Bits
    key_second: Bits
    compared: tuple[int, int]
    errors: tuple[int, int]

    def rate(self, basis: int) -> float:
        return self.errors[basis] / self.compared[basis] if self.compared[basis] else 0.0


def agree_on_key(
    state: Any,
    rng: np.random.Generator,
    *,
    pairs: int = PAIRS_MIN,
    intercept_share: float = 0.0,
) -> KeyAgreement:
    """Let two ends measure pairs and make a key of what they find.

    The ends know `state`, the declared noise of their link, and nothing of a listener. They expect equal or
    opposite bits in each basis, whichever the state has more of.

    Args:
        state: density matrix of a pair, shape (4, 4); the first end has qubit 0, the low bit.
        rng: draws bases, outcomes, samples, orders and hashes. As good as its seed: where a key must be
            secret from who knows the seed, join it with another.
        pairs: from 1 to 1,000,000; `pairs_needed` tells how many suffice.
        intercept_share: share of the pairs that somebody measures in between; see `pair_states.intercepted`.

    Raises:
        StateError: `state` is no density matrix of two qubits.
        RequestError: `pairs` or `intercept_share` out of range.
    """
    if not 1 <= pairs <= PAIRS_MAX:
        raise RequestError(f"a key from {pairs!r} pairs; from 1 to {PAIRS_MAX:,} are possible")
    declared_state = checked_pair(state)
    opposite = opposite_bases(declared_state)
    declared = error_rates(declared_state, opposite)
    sifted = _measure(intercepted(declared_state, intercept_share), opposite, pairs, rng)
    chance = _chance(sifted, declared)
    if chance < LISTENED_CHANCE:
        return _ended(sifted, declared, chance, aborted="listened")
    if sum(sifted.errors) > ERROR_RATE_MAX * sum(sifted.compared):
        return _ended(sifted, declared, chance, aborted="noise")
    return _distilled(sifted, declared, chance, rng)


def pairs_needed(state: Any, key_bits: int = KEY_BITS_MIN) -> int | None:
    """Pairs that give a key of `key_bits` on an undisturbed link, in all likelihood; None when a million do
    not.

    Takes what error correction will cost as 1.35 times the Shannon limit, and error rates three standard
    deviations worse than declared.
    """
    declared = checked_pair(state)
    rate_z, rate_x = error_rates(declared, opposite_bases(declared))
    pairs = PAIRS_MIN
    while True:
        kept, compared = int(pairs / 4 * (1 - _COMPARED_SHARE)), pairs // 4
        worse_z = rate_z + 3 * (rate_z * (1 - rate_z) / kept) ** 0.5
        worse_x = rate_x + 3 * (rate_x * (1 - rate_x) / compared) ** 0.5
        leaked = int(1.35 * kept * binary_entropy(worse_z)) + 200 + VERIFICATION_BITS
        likely = max(rate_z, rate_x) <= ERROR_RATE_MAX
        if likely and secret_length(kept, worse_x + sampling_margin(kept, compared), leaked) >= key_bits:
            return pairs
        if pairs == PAIRS_MAX:
            return None
        pairs = min(PAIRS_MAX, pairs * 2)


def _measure(
    state: NDArray[np.complex128], opposite: tuple[bool, bool], pairs: int, rng: np.random.Generator
) -> _Sifted:
    limits = np.cumsum(outcome_probabilities(state), axis=2)[:, :, :3]
    bases: list[Bits] = []
    firsts: list[Bits] = []
    seconds: list[Bits] = []
    for start in range(0, pairs, _CHUNK):
        count = min(_CHUNK, pairs - start)
        first_basis, second_basis = rng.integers(0, 2, size=(2, count), dtype=np.uint8)
        found = (rng.random(count)[:, None] >= limits[first_basis, second_basis]).sum(axis=1, dtype=np.uint8)
        same = first_basis == second_basis
        basis, found = first_basis[same], found[same]
        bases.append(basis)
        firsts.append(found & 1)
        seconds.append((found >> 1) ^ np.array(opposite, dtype=np.uint8)[basis])
    basis, first, second = (np.concatenate(each) for each in (bases, firsts, seconds))
    in_z = np.flatnonzero(basis == Z)
    order = rng.permutation(in_z)
    shown, kept = np.split(order, [int(len(in_z) * _COMPARED_SHARE)])
    tested = np.flatnonzero(basis == X)
    kept.sort()
    wrong = first ^ second
    return _Sifted(
        pairs=pairs,
        sifted=len(basis),
        key_first=first[kept],
        key_second=second[kept],
        compared=(len(shown), len(tested)),
        errors=(int(wrong[shown].sum()), int(wrong[tested].sum())),
    )


def _chance(sifted: _Sifted, declared: tuple[float, float]) -> float:
    """Chance that either basis shows so many errors by noise: twice the smaller one (Bonferroni)."""
    chances = [
        # Rounding in the state must not turn one error into proof: no link is better than 1e-12.
        chance_of_errors(sifted.errors[basis], sifted.compared[basis], max(declared[basis], 1e-12))
        for basis in (Z, X)
    ]
    return min(1.0, 2 * min(chances))


def _distilled(
    sifted: _Sifted, declared: tuple[float, float], chance: float, rng: np.random.Generator
) -> KeyAgreement:
    first = sifted.key_first
    corrected = cascade(first, sifted.key_second, sifted.rate(Z), rng)
    leaked = corrected.leaked_bits
    if len(first):
        check = toeplitz_seed(len(first), VERIFICATION_BITS, rng)
        leaked += VERIFICATION_BITS
        ours, theirs = (toeplitz_hash(bits, check, VERIFICATION_BITS) for bits in (first, corrected.bits))
        if not np.array_equal(ours, theirs):
            return _ended(sifted, declared, chance, aborted="verification", leaked=leaked)
    bound = _bound(sifted)
    length = secret_length(len(first), bound, leaked) // 8 * 8
    if length < KEY_BITS_MIN:
        return _ended(sifted, declared, chance, aborted="length", leaked=leaked)
    seed = toeplitz_seed(len(first), length, rng)
    keys = tuple(np.packbits(toeplitz_hash(bits, seed, length)).tobytes() for bits in (first, corrected.bits))
    return _ended(sifted, declared, chance, leaked=leaked, keys=(keys[0], keys[1]))


def _bound(sifted: _Sifted) -> float:
    return min(1.0, sifted.rate(X) + sampling_margin(len(sifted.key_first), sifted.compared[X]))


def _ended(
    sifted: _Sifted,
    declared: tuple[float, float],
    chance: float,
    *,
    aborted: Abort | None = None,
    leaked: int = 0,
    keys: tuple[bytes, bytes] = (b"", b""),
) -> KeyAgreement:
    compared, errors = sum(sifted.compared), sum(sifted.errors)
    rate = errors / compared if compared else 0.0
    expected = sum(each * share for each, share in zip(sifted.compared, declared, strict=True))
    noise = expected / compared if compared else 0.0
    found = f"{errors} of {compared} compared bits differ ({rate:.2%}); the link's noise explains {noise:.2%}"
    said = {
        None: "no sign of a listener",
        "listened": "somebody listened",
        "noise": f"above {ERROR_RATE_MAX:.0%} no key is secret",
        "verification": "error correction left a difference",
        "length": f"too few secret bits: fewer than {KEY_BITS_MIN} are left of {len(sifted.key_first)}",
    }
    return KeyAgreement(
        pairs=sifted.pairs,
        sifted=sifted.sifted,
        compared=compared,
        errors=errors,
        error_rate_z=sifted.rate(Z),
        error_rate_x=sifted.rate(X),
        error_rate_bound=_bound(sifted),
        declared_z=declared[Z],
        declared_x=declared[X],
        chance=chance,
        leaked_bits=leaked,
        key=keys[0],
        key_of_second=keys[1],
        aborted=aborted,
        reason=f"{found}: {said[aborted]}",
    )
