"""What is told of a daemon that does not come up."""

from __future__ import annotations

import pytest

from qrealm.base.errors import DaemonError
from qrealm.faces.qdocker import launch as launching
from qrealm.faces.qdocker.home import Home
from qrealm.faces.qdocker.launch import launch


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "h")
    home.make()
    home.log.write_text("an old line\n")
    return home


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import sys; sys.exit('of this start')", "of this start"),
        ("raise SystemExit(3)", "wrote nothing into its log"),
    ],
)
def test_a_failed_start_shows_the_log_lines_of_this_start_alone(home, monkeypatch, tmp_path, program, told):
    python = tmp_path / "python"
    code = tmp_path / "daemon.py"
    code.write_text(program)
    python.write_text(f'#!/bin/sh\nexec {launching.sys.executable} "{code}"\n')
    python.chmod(0o755)
    monkeypatch.setattr(launching.sys, "executable", str(python))
    with pytest.raises(DaemonError, match="ended with code") as failed:
        launch(home, None)
    assert told in failed.value.message
    assert "an old line" not in failed.value.message
