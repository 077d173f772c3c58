"""A folder in memory: these tests are about processes and nodes that fail, not about a loss of power."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def quick_path():
    shared = Path("/dev/shm")
    path = Path(tempfile.mkdtemp(prefix="qrealm-", dir=shared if shared.is_dir() else None))
    yield path
    shutil.rmtree(path, ignore_errors=True)
