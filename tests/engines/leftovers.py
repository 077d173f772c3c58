"""What a killed engine leaves on the machine: processes, mounts, groups of processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def clear(folder: Path) -> None:
    """End every process that names `folder` and all their children, unmount what is mounted below it, and
    remove it."""
    for _ in range(3):
        pids = processes_of(folder)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not pids:
            break
        _wait_for_end(pids)
    for mount in mounts_below(folder):
        subprocess.run(["umount", "-l", mount], check=False, capture_output=True)
    for group in _groups(folder):
        with suppress(OSError):
            group.rmdir()
    shutil.rmtree(folder, ignore_errors=True)


def processes_of(folder: Path) -> set[int]:
    """Processes with `folder` in their command line, and everything below them."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            pid = int(entry.name)
            told = (entry / "stat").read_text().rpartition(")")[2].split()
            if told[0] == "Z":
                continue
            parents[pid] = int(told[1])
            if os.fsencode(folder) in (entry / "cmdline").read_bytes():
                found.add(pid)
    while below := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= below
    return found - {os.getpid()}


def mounts_below(folder: Path) -> list[str]:
    """Mount points in `folder`, the deepest first."""
    points = [line.split()[1] for line in (_PROC / "mounts").read_text().splitlines()]
    return sorted((point for point in points if Path(point).is_relative_to(folder)), key=len, reverse=True)


def _wait_for_end(pids: Iterable[int], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any((_PROC / str(pid) / "exe").exists() for pid in pids):
        time.sleep(0.02)


def _groups(folder: Path) -> list[Path]:
    """Control groups of the containers whose records lie in a Docker engine's `folder`."""
    ids = [entry.name for entry in folder.glob("data/containers/*")]
    return [group for name in ids for group in Path("/sys/fs/cgroup").glob(f"*/docker/{name}")]
