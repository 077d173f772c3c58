"""Networks of entangled pairs: keys that two ends share."""

from __future__ import annotations

from qrealm.network.bb84 import KeyAgreement, agree_on_key, pairs_needed
from qrealm.network.pair_states import bell_pair

__all__ = ["KeyAgreement", "agree_on_key", "bell_pair", "pairs_needed"]
