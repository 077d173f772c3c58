"""Keys and sealed things."""

from __future__ import annotations

from qrealm.control.security.identities import new_identity, public_of
from qrealm.control.security.sealing import Sealed, open_sealed, seal

__all__ = ["Sealed", "new_identity", "open_sealed", "public_of", "seal"]
