"""Processes with a container engine that end in the middle, each forked from this one: a program of its own.

``python -m tests.faults.crashing FOLDER exhaustive NAME`` ends operation NAME at every call of a node and at
every commit of the store, and every recovery at some of its own. ``… FOLDER killed SEED`` has a process do
operations at random and kills it at random times. What is found wrong goes to standard error, and the exit
code is 1; else one line tells how often a process ended.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
import traceback
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import event
from tests.faults.operations import OPERATIONS, Template, check_kept
from tests.unit.control.containers.homes import CALLS, Home

from qrealm.base.errors import QrealmError

ENDED = 9
STEPS = (*CALLS, "commit")
STEPS_MAX = 120
KILLS = 25
NODES = ("na", "nb", "nc")


def forked(work):
    """What a child process that does `work` exits with."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - told by the exit code, and in words
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def ending(home, number):
    """End the process before the step of this number, so after the one before it: a call or a commit."""
    store = home.engine._ctx.store._database._writer
    home.faults.arm(number, "exit before", STEPS)

    def committing(connection):
        home.faults.around("store", "commit", lambda: None)

    event.listen(store, "commit", committing)
    try:
        yield
    finally:
        event.remove(store, "commit", committing)
        home.faults.disarm()


def operate(template, operation, number):
    home = template.home()
    home.open()
    with ending(home, number):
        operation.run(home)
    home.close()


def recover(template, operation, number):
    """Open again, ended at a step; `number` 0 goes through and checks."""
    home = template.again()
    if number:
        home.faults.arm(number, "exit after")
    home.open()
    home.faults.disarm()
    if not number:
        home.engine.watch.look()
        home.come_back(*home.endpoints)
        check_kept(home, operation)
        if operation.runs:
            told = home.record(operation.runs).measured
            assert home.runs(operation.runs) is (told is not None and told.state == "running")
        if operation.made:
            # Whoever was cut off may ask again, and has all of it then.
            again = home.store.containers.all()
            if not operation.made <= {record.name for record in again}:
                operation.run(home)
            check_kept(home, operation)
    home.close()


def exhaustive(folder, name):
    operation = OPERATIONS[name]
    template = Template(folder / "here", operation)
    rng = random.Random(name)
    for number in range(1, STEPS_MAX):
        code = forked(partial(operate, template, operation, number))
        if code not in (0, ENDED):
            raise AssertionError(f"step {number}: the operation broke")
        if code == ENDED:
            forked(partial(recover, template, operation, rng.randint(1, 8)))
        if forked(partial(recover, template, operation, 0)) != 0:
            raise AssertionError(f"ended at step {number}: not mended")
        if code == 0:
            return number - 1
    raise AssertionError(f"{name} has more than {STEPS_MAX} steps")


def at_random(folder, seed):
    """Operations at random until somebody ends the process."""
    rng = random.Random(seed)
    home = Home(folder, NODES)
    home.open()
    lifecycle, circuits = home.engine.lifecycle, home.engine.circuits
    while True:
        names = [record.name for record in home.store.containers.all()]
        one, other = (rng.choice(names), rng.choice(names)) if names else ("none", "none")
        mode = rng.choice(("same", "opposite", "spread"))
        what = rng.choice(
            (
                partial(home.create, f"c{rng.randrange(12)}", host_port=rng.choice((None, 7000))),
                partial(home.create, f"c{rng.randrange(12)}"),
                partial(lifecycle.run, one, force=rng.random() < 0.5),
                partial(lifecycle.stop, one),
                partial(lifecycle.remove, one, force=rng.random() < 0.5),
                partial(circuits.entangle, one, other, mode),
                partial(circuits.apply_gate, "H", [one]),
                partial(home.engine.nodes.drain, rng.choice(NODES)),
                partial(home.engine.nodes.activate, rng.choice(NODES)),
                partial(home.engine.balancing.rebalance),
                partial(home.engine.upkeep.maintenance),
            )
        )
        try:
            what()
        except QrealmError:
            continue


def opened_and_checked(folder):
    home = Home(folder, NODES)
    home.open()
    home.check()
    home.close()


def killed(folder, seed):
    rng = random.Random(seed)
    for number in range(KILLS):
        child = os.fork()
        if child == 0:
            try:
                at_random(folder, seed * 1000 + number)
            finally:
                traceback.print_exc()
                os._exit(1)
        time.sleep(rng.uniform(0.05, 0.4))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            raise AssertionError(f"kill {number}: the process had ended by itself")
        if forked(partial(opened_and_checked, folder)) != 0:
            raise AssertionError(f"kill {number}: not mended")
    return KILLS


def main(folder, kind, what):
    path = Path(folder)
    try:
        done = exhaustive(path, what) if kind == "exhaustive" else killed(path / "here", int(what))
    finally:
        shutil.rmtree(path / "here", ignore_errors=True)
    sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
