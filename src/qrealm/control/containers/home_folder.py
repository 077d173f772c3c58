"""Where an engine keeps its things: one rule for the command and for programs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from qrealm.base.errors import StoreError

HOME_VARIABLE = "QUANTUM_DOCKER_HOME"
_OTHERS_WRITE = 0o022
_ROOT = 0
_LINKS_MAX = 40  # as Linux


def home_folder() -> Path:
    """``$QUANTUM_DOCKER_HOME``, else ``$XDG_STATE_HOME/qdocker``, else ``~/.local/state/qdocker``; whole."""
    if named := os.environ.get(HOME_VARIABLE):
        return Path(named).expanduser().absolute()
    state = os.environ.get("XDG_STATE_HOME", "")
    # The XDG specification says that a relative path is to be ignored.
    base = Path(state) if state.startswith("/") else Path("~/.local/state").expanduser()
    return base.absolute() / "qdocker"


def make_home(folder: Path) -> None:
    """Make the folder for its owner alone where there is none. The rights of one that is there stay as they
    are: it may be anybody's.

    Raises:
        StoreError: it cannot be made, or see `check_home`.
    """
    try:
        try:
            folder.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            if not folder.is_dir():
                raise
        else:
            folder.chmod(0o700)  # also where umask takes rights from the owner
            return
    except OSError as problem:
        raise StoreError(
            f"the folder {str(folder)!r} cannot be made or used: {problem.strerror}",
            hint=f"set {HOME_VARIABLE} to a folder that you may write to",
        ) from problem
    check_home(folder)


def check_home(folder: Path) -> None:
    """Whether what is in the folder is its user's own. That holds for root too; none that is there is fine.

    Raises:
        StoreError: it is another user's, or others may write to it, or another user's link leads to it.
    """
    user = os.geteuid()
    try:
        steps, there = _links(folder), folder.stat()
    except OSError:
        return  # nobody can be reached through it
    for link, owner in steps:
        if owner not in (user, _ROOT):
            raise StoreError(
                f"the folder {str(folder)!r} is reached by the link {str(link)!r}, which belongs to the user "
                f"{owner}, and this is the user {user}",
                hint=f"set {HOME_VARIABLE} to {folder.resolve()}, if that is yours",
            )
    mode = there.st_mode
    if there.st_uid != user:
        raise StoreError(
            f"the folder {str(folder)!r} belongs to the user {there.st_uid}, and this is the user {user}; it "
            "decides what runs on your nodes",
            hint=f"run this as its owner, or set {HOME_VARIABLE} to a folder of your own",
        )
    if mode & _OTHERS_WRITE:
        # Sticky or not: somebody could be first with a file of ours, such as the socket.
        raise StoreError(
            f"others may write to the folder {str(folder)!r} (mode {mode & 0o7777:04o}); it decides what "
            "runs on your nodes",
            hint=f"chmod go-w {folder} if it is yours alone, or set {HOME_VARIABLE} to another folder",
        )


def _links(path: Path) -> list[tuple[Path, int]]:
    """The links that a path is, one leading to the next, each with its owner."""
    found: list[tuple[Path, int]] = []
    while len(found) < _LINKS_MAX and stat.S_ISLNK((there := path.lstat()).st_mode):
        found.append((path, there.st_uid))
        path = path.parent / path.readlink()
    return found
