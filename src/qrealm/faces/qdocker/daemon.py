"""The daemon: one process that holds the container engine and answers on a Unix socket.

Started by `qdocker start`. What it must not forget is in the engine's database, so it may be killed at any
moment; containers go on without it, and the next daemon finds them.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from qrealm.base.clock import SystemClock
from qrealm.base.errors import ConfigError, DaemonError, QrealmError
from qrealm.base.version import installed_version
from qrealm.control.containers.engine import ContainerEngine
from qrealm.control.containers.files import Config, load_config
from qrealm.control.containers.placement.schedulers import PORTFOLIO, fault_of_scheduler
from qrealm.control.store.whole_files import write_whole
from qrealm.faces.http.error_json import error_to_json
from qrealm.faces.http.server import answer_until_signal, wait_for_work
from qrealm.faces.qdocker.home import DaemonLock, Home, debug_wanted
from qrealm.faces.qdocker.launch import REQUESTS_END_S, WORK_END_S

_LOG = logging.getLogger("qrealm.qdocker")
_BACKLOG = 128
_LOOK_S = 1.0
"""How often the daemon looks whether its folder is still there."""
_PATHS = ("DOCKER_CERT_PATH",)
Ready = Callable[[Sequence[str]], None]


def serve(home: Home, config_path: Path | None, ready: Ready | None = None) -> None:
    """Be the daemon until SIGTERM, SIGINT or SIGHUP, or until its folder is taken away.

    The process works in that folder, so that it keeps no other from being unmounted.

    Args:
        home: its folder.
        config_path: a configuration file, kept as a copy in the folder once it is found to hold: whatever
            comes then, it is the one of the next start. None takes that copy, or defaults.
        ready: called once when requests are answered, with what whoever starts the daemon should know.

    Raises:
        ConfigError: the configuration breaks a rule.
        DaemonError: another daemon has this folder.
        StoreError: others may write to the folder, or the database cannot be opened.
    """
    home.make()
    os.umask(0o077)  # database, socket, records: for their owner alone
    lock = DaemonLock(home)
    lock.take()
    ended = threading.Event()
    try:
        config, text = _configured(home, config_path)
        _work_in(home.folder)
        keep = partial(_kept, home, text)
        engine = ContainerEngine(config, home.folder, SystemClock(), keep=keep)
        engine.open()
        try:
            with _listening(home) as listener:
                version = installed_version()
                _LOG.info("qdocker %s, process %d, answers on %s", version, os.getpid(), home.socket)
                notices = [*engine.notices, *_left_out(engine, config_path), *_unusable(config)]

                def answers() -> None:
                    words = (home, lock, ended)
                    threading.Thread(target=_watch_home, args=words, name="watch-home", daemon=True).start()
                    if ready is not None:
                        ready(notices)

                answer_until_signal(engine, listener, answers, REQUESTS_END_S)
        finally:
            _end(engine, home, lock)
    finally:
        ended.set()
        if lock.is_held():  # else the socket there may be another daemon's
            home.socket.unlink(missing_ok=True)
        lock.give_up()


def _end(engine: ContainerEngine, home: Home, lock: DaemonLock) -> None:
    """Close the engine when nothing works on it any more. What does not end in time is cut off as by a kill,
    which the database survives at any moment. Until then nobody else can have the folder."""
    last = threading.Lock()

    def cut_off() -> None:
        if not last.acquire(blocking=False):
            return
        words = "what is under way did not end within %g s and is cut off: it is finished or undone next time"
        _LOG.warning(words, WORK_END_S)
        if lock.is_held():
            home.socket.unlink(missing_ok=True)
        os._exit(0)

    limit = threading.Timer(WORK_END_S, cut_off)
    limit.daemon = True
    limit.start()
    engine.close(wait_for_work)
    limit.cancel()
    last.acquire()  # kept: nothing is cut off from here on
    _LOG.info("ended")


def _left_out(engine: ContainerEngine, config_path: Path | None) -> list[str]:
    """What to say of nodes that were removed by hand, where a configuration is given that names them."""
    told = []
    for name in engine.nodes.left_out() if config_path is not None else ():
        told.append(
            f"node {name} was removed with nodes rm and stays out, though the configuration names it; "
            "nodes add takes it in again, or another entry of that name"
        )
        _LOG.warning("%s", told[-1])
    return told


def _unusable(config: Config) -> list[str]:
    """What to say of a scheduler that is there no more, or that is broken."""
    name = config.default_scheduler
    fault = fault_of_scheduler(name)
    if not fault:
        return []
    told = (
        f"the scheduler {name!r} of the configuration cannot be used: {fault}; until it can, containers are "
        f"placed where --scheduler names another, such as {PORTFOLIO}"
    )
    _LOG.warning("%s", told)
    return [told]


def _watch_home(home: Home, lock: DaemonLock, ended: threading.Event) -> None:
    """End when the folder is no longer ours: nobody could reach us, and another daemon could start there."""
    while not ended.wait(_LOOK_S):
        if not lock.is_held():
            _LOG.error("%s is gone or another's: the daemon ends, containers go on as they are", home.pid)
            os.kill(os.getpid(), signal.SIGTERM)
            return


def _work_in(folder: Path) -> None:
    """Change to a folder. What the environment names by a relative path stays where it was."""
    for name in _PATHS:
        if path := os.environ.get(name):
            os.environ[name] = str(Path(path).expanduser().absolute())
    os.chdir(folder)


def _configured(home: Home, path: Path | None) -> tuple[Config, str | None]:
    """The configuration of a file, and its text where the folder has no copy of it; without a file, that of
    the last copy."""
    if path is None:
        # A certificate that is gone since makes its node silent: no reason to leave the others alone. Nor is
        # a scheduler that is gone.
        kept = home.config if home.config.exists() else None
        return load_config(kept, certificates=False, schedulers=False), None
    if not path.is_file():
        fault = "which is a folder" if path.is_dir() else "and there is no such file"
        raise ConfigError(f"start got the configuration {str(path)!r}, {fault}", hint="give a YAML file")
    config = load_config(path)
    return config, None if path.absolute() == home.config else path.read_text(encoding="utf-8")


@contextmanager
def _kept(home: Home, text: str | None) -> Iterator[None]:
    """Copy a configuration to the folder; what was there before is put back where the body fails."""
    if text is None:
        yield
        return
    try:
        before = home.config.read_text("utf-8", "replace") if home.config.exists() else None
        write_whole(home.config, text)
    except OSError as problem:
        raise DaemonError(
            f"the configuration cannot be kept as {str(home.config)!r}: {problem.strerror}"
        ) from problem
    try:
        yield
    except BaseException:
        try:
            home.config.unlink() if before is None else write_whole(home.config, before)
        except OSError as problem:
            _LOG.error("%s is of a start that failed, and holds at the next: %s", home.config, problem)
        raise


def _listening(home: Home) -> socket.socket:
    """A socket that only its owner may use. One that a killed daemon left over is taken away: we have the
    lock."""
    home.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(home.socket))
    except OSError as problem:
        listener.close()
        raise DaemonError(f"no socket can be made at {str(home.socket)!r}: {problem.strerror}") from problem
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    return listener


def start_logging(debug: bool) -> None:
    """Log to stderr, which `qdocker start` sends to the log file."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    logging.getLogger("qrealm").setLevel(logging.DEBUG if debug else logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.INFO if debug else logging.WARNING)


def main(arguments: list[str] | None = None) -> int:
    """The process that `qdocker start` launches; tells its parent through a pipe how the start went."""
    parser = argparse.ArgumentParser(prog="python -m qrealm.faces.qdocker.daemon")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--report-fd", type=int, required=True)
    options = parser.parse_args(arguments)
    start_logging(debug_wanted())

    def tell(line: dict[str, object]) -> None:
        try:
            with open(options.report_fd, "w", encoding="utf-8") as pipe:  # noqa: PTH123 - a file descriptor
                pipe.write(json.dumps(line) + "\n")
        except BrokenPipeError:
            _LOG.info("whoever started this is gone")

    told = False

    def ready(notices: Sequence[str]) -> None:
        nonlocal told
        told = True
        tell({"ready": os.getpid(), "notices": list(notices)})

    try:
        serve(Home(options.home), options.config, ready)
    except QrealmError as problem:
        _LOG.error("%s", problem, exc_info=debug_wanted())
        if not told:
            tell({"error": error_to_json(problem)})
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
