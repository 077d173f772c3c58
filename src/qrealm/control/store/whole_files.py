"""Small files beside the database that must be whole or not there at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """All of it or nothing, whenever this is cut off; only for the owner (as `mkstemp` makes files).

    Raises OSError.
    """
    number, new = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        Path(new).replace(file)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise
