"""`qdocker stop` where a daemon may run that is another user's: it does not say that none runs."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from qrealm.base.errors import DaemonError, StoreError
from qrealm.faces.qdocker.home import Home
from qrealm.faces.qdocker.launch import end

OTHER = 12345
MINE = 12346

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may be another user")


@pytest.fixture
def folder():
    """One that everybody may pass through, with a path that is short enough for a socket."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


@contextmanager
def user(number):
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def home_of(number, folder, mode=0o700):
    """A home of a user with a socket where that user's process listens."""
    home = Home(folder)
    folder.mkdir()
    os.chown(folder, number, -1)
    with socket.socket(socket.AF_UNIX) as listener:
        with user(number):
            listener.bind(str(home.socket))
            home.socket.chmod(0o600)
            listener.listen()
            folder.chmod(mode)
        yield home


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777])
def test_another_users_home_is_refused(folder, mode):
    with home_of(OTHER, folder / "h", mode) as home:
        for number in (MINE, 0):
            with user(number), pytest.raises(StoreError, match=f"belongs to the user {OTHER}"):
                end(home, 1.0)


def test_a_link_to_another_users_home_is_refused(folder):
    with home_of(OTHER, folder / "h"):
        (folder / "link").symlink_to("h")
        os.chown(folder / "link", MINE, -1, follow_symlinks=False)
        with user(MINE), pytest.raises(StoreError, match=f"belongs to the user {OTHER}"):
            end(Home(folder / "link"), 1.0)


def test_a_home_that_others_may_write_to_is_refused_where_somebody_listens(folder):
    refused = pytest.raises(StoreError, match="others may write to the folder")
    with home_of(MINE, folder / "h", 0o777) as home, user(MINE), refused:
        end(home, 1.0)


def test_a_socket_that_is_a_link_to_another_users_is_refused(folder):
    for number, told in ((MINE, "cannot be told"), (0, f"of the user {OTHER}, and this is the user 0")):
        with home_of(OTHER, folder / f"h{number}", 0o755) as theirs:
            own = Home(folder / f"own{number}")
            own.folder.mkdir(mode=0o700)
            own.socket.symlink_to(theirs.socket)
            os.chown(own.folder, number, -1)
            with user(number), pytest.raises(DaemonError, match=told):
                end(own, 1.0)


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_where_nothing_can_run_that_is_told(folder, mode):
    home = Home(folder / "h")
    home.folder.mkdir()
    home.folder.chmod(mode)
    with user(MINE):
        assert end(home, 1.0) is None
        assert end(Home(folder / "none"), 1.0) is None
