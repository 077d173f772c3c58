"""Results for frameworks whose own have no place for what a run warns of."""

from __future__ import annotations

import warnings

from qrealm.base.errors import QrealmWarning
from qrealm.simulate.results import Result


def warned(result: Result) -> Result:
    """The result, after Python's warnings were told what it has to tell."""
    for line in result.warnings:
        warnings.warn(QrealmWarning(line), stacklevel=2)
    return result


__all__ = ["warned"]
