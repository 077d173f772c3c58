"""Messages between entangled containers, sent in secret and kept until they are read."""

from __future__ import annotations

from qrealm.control.containers.messages.service import Messages

__all__ = ["Messages"]
