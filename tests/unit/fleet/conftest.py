"""An `ssh` for the tests of tunnels."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

LINKING_SSH = """#!/bin/sh
for word; do case "$word" in *engine.sock:*) ln -s "${word#*:}" "${word%%:*}";; esac; done
exec sleep 600
"""
"""An ssh that stays, whose forwarded socket is that of this host."""


@pytest.fixture
def tunnels(monkeypatch):
    """Where tunnels that stand keep their folders; `ssh` reaches this host."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        (Path(folder) / "bin").mkdir()
        (Path(folder) / "bin" / "ssh").write_text(LINKING_SSH)
        (Path(folder) / "bin" / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield lambda: set(Path(folder).glob("qrealm-ssh-*"))
