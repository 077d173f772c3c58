"""Small facts kept between runs: JSON files in the user's cache folder. Losing them costs only time."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "QREALM_CACHE_DIR"
"""Environment variable that names another folder; empty to keep nothing."""

_log = logging.getLogger("qrealm")


def cache_folder() -> Path | None:
    """Where facts are kept: $QREALM_CACHE_DIR, else $XDG_CACHE_HOME/qrealm, else ~/.cache/qrealm; None for
    nowhere."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named is not None:
        return Path(named) if named else None
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "qrealm"
    except RuntimeError:  # a user without a home folder
        return None


def load(name: str) -> dict[str, Any] | None:
    """What was saved under this name; None when nothing was, or it cannot be read any more."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        value = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def save(name: str, value: dict[str, Any]) -> None:
    """Keep a JSON-ready dict; readers see the old or the new file, never half of one.

    A folder that cannot be written is logged and otherwise passed over: the fact is measured again next time.
    """
    folder = cache_folder()
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, suffix=".tmp", delete=False, encoding="utf-8"
        ) as file:
            json.dump(value, file, indent=1)
        Path(file.name).replace(folder / f"{name}.json")
    except OSError as problem:
        _log.info("cannot keep %s in %s: %s", name, folder, problem)
