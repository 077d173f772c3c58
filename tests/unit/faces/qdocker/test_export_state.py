"""`qdocker export-state` without a file: private keys do not go to a terminal by mistake."""

from __future__ import annotations

import os
import pty
import subprocess

import pytest

from engines.qdocker_daemon import QDOCKER, environment_of

NO_DAEMON = "qdocker start"
REFUSED = "--filename FILE"


@pytest.mark.parametrize(
    ("words", "on_terminal", "hint"),
    [
        ((), True, REFUSED),
        # These get as far as to ask the daemon, and there is none.
        (("--filename", "-"), True, NO_DAEMON),
        (("--filename", "state.json"), True, NO_DAEMON),
        ((), False, NO_DAEMON),
    ],
)
def test_a_terminal_gets_no_state_unless_it_is_asked_for(tmp_path, words, on_terminal, hint):
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*QDOCKER, "export-state", *words], cwd=tmp_path, env=environment_of(tmp_path / "h"), text=True,
            stdin=subprocess.DEVNULL, stdout=theirs if on_terminal else subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == 1
    (hinted,) = [line for line in done.stderr.splitlines() if line.startswith("hint: ")]
    assert hint in hinted
    assert list(tmp_path.iterdir()) == []
