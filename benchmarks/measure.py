"""Starts the measuring processes, each with a clean memory and a fixed number of threads."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.case_process import Answer, Request
from benchmarks.cases import Case

ROOT = Path(__file__).parents[1]
CASE_SECONDS_MAX = 3600


def thread_environment(threads: int) -> dict[str, str]:
    """The environment in which the libraries measured here use `threads` threads."""
    names = ("OMP_NUM_THREADS", "QULACS_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return os.environ | dict.fromkeys(names, str(threads))


def run_module(module: str, *arguments: str, threads: int) -> None:
    """Run `python -m module arguments…` to its end; raises CalledProcessError if it fails."""
    command = [sys.executable, "-m", module, *arguments]
    subprocess.run(command, cwd=ROOT, env=thread_environment(threads), check=True, timeout=CASE_SECONDS_MAX)


def measure_case(request: Request) -> Answer:
    """Time one case in a process of its own. If that process dies, every peer's failure says how."""
    with tempfile.TemporaryDirectory() as folder:
        request_file, answer_file = Path(folder, "request.json"), Path(folder, "answer.json")
        request_file.write_text(json.dumps(dataclasses.asdict(request)))
        try:
            files = (str(request_file), str(answer_file))
            run_module("benchmarks.case_process", *files, threads=request.threads)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            reason = f"the measuring process ended with {getattr(error, 'returncode', 'a timeout')}"
            num_gates = len(Case.build(request.family, request.num_qubits).gates)
            failures = dict.fromkeys(request.peers, reason)
            return Answer(request.family, request.num_qubits, num_gates, failures=failures)
        return Answer(**json.loads(answer_file.read_text()))
