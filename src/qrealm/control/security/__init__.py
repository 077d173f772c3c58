"""Keys and sealed things."""

from __future__ import annotations

from qrealm.control.security.boxes import close_box, kept_key, open_box
from qrealm.control.security.identities import new_identity, public_of
from qrealm.control.security.sealing import Sealed, open_sealed, seal

__all__ = ["Sealed", "close_box", "kept_key", "new_identity", "open_box", "open_sealed", "public_of", "seal"]
