"""How much a process has worked and holds: that does not depend on what else a machine has to do."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

WAIT_S = 120.0
"""For work to be done, however slow the machine is."""


def work_seconds(pid: int) -> float:
    """Processor time of all its threads, in seconds."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    *hours, minutes, seconds = _told(pid, "time").replace("-", ":").split(":")
    return sum(float(part) * 60**power for power, part in enumerate([seconds, minutes, *hours]))


def resident_bytes(pid: int) -> int:
    """Memory that it has touched."""
    statm = Path(f"/proc/{pid}/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return int(_told(pid, "rss")) * 1024


def _told(pid: int, word: str) -> str:
    words = ["ps", "-o", f"{word}=", "-p", str(pid)]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def wait_for_work(pid: int, seconds: float) -> None:
    """Wait until it has worked for so long from now on. AssertionError when it does not."""
    enough, deadline = work_seconds(pid) + seconds, time.monotonic() + WAIT_S
    while work_seconds(pid) < enough:
        assert time.monotonic() < deadline, f"it has not worked for {seconds} s"
        time.sleep(0.02)


def wait_for_memory(pid: int, size_bytes: int) -> None:
    """Wait until it has touched so much. AssertionError when it does not."""
    deadline = time.monotonic() + WAIT_S
    while resident_bytes(pid) < size_bytes:
        assert time.monotonic() < deadline, f"it has not touched {size_bytes} bytes"
        time.sleep(0.05)
