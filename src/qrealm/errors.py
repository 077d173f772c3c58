"""Every exception that qrealm raises on purpose: `from qrealm.errors import TooLargeError`."""

from qrealm.base.errors import *  # noqa: F403
