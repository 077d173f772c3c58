"""Processes with a container engine that end in the middle, each forked from this one: a program of its own.

``python -m tests.faults.crashing FOLDER exhaustive NAME`` ends operation NAME at every call of a node and at
every commit of the store, and every recovery at some of its own. ``… FOLDER killed SEED`` has a process do
operations at random and kills it at random times: a few while it opens, most while it operates. What is found
wrong goes to standard error, and the exit code is 1; else one line tells how often a process ended, and how
often in the middle of an operation.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import sys
import time
import traceback
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from sqlalchemy import event
from tests.faults.operations import OPERATIONS, Template, check_kept
from tests.unit.control.containers.homes import CALLS, Home

from qrealm.base.errors import QrealmError

ENDED = 9
BEGINS, ENDS = b"b", b"e"
STEPS = (*CALLS, "commit")
STEPS_MAX = 120
KILLS = 25
OPENING = 5
"""Of that many kills one hits a process that opens; the others wait until it has opened."""
WAIT_S = 60.0
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
            code_again = forked(partial(recover, template, operation, rng.randint(1, 8)))
            if code_again not in (0, ENDED):
                raise AssertionError(f"ended at step {number}: recovery broke")
        if forked(partial(recover, template, operation, 0)) != 0:
            raise AssertionError(f"ended at step {number}: not mended")
        if code == 0:
            return number - 1
    raise AssertionError(f"{name} has more than {STEPS_MAX} steps")


def at_random(folder, seed, pipe):
    """Operations at random until somebody ends the process. The pipe is told of each when it begins and when
    it ends."""
    rng = random.Random(seed)
    home = Home(folder, NODES)
    home.open()
    os.write(pipe, ENDS)
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
        os.write(pipe, BEGINS)
        with suppress(QrealmError):
            what()
        os.write(pipe, ENDS)


def opened_and_checked(folder):
    home = Home(folder, NODES)
    home.open()
    home.check()
    home.close()


def kill_at_random(folder, seed, opens):
    """Have a process operate, and kill it while it opens, or later; whether an operation was under way."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            at_random(folder, seed, writing)
        finally:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        if not opens and not select.select([pipe], [], [], WAIT_S)[0]:
            raise AssertionError(f"not opened after {WAIT_S:g} s")
        time.sleep(random.Random(seed).uniform(0.0, 0.1 if opens else 0.3))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        told = pipe.read()
    if not os.WIFSIGNALED(status):
        raise AssertionError("the process had ended by itself")
    return told.endswith(BEGINS)


def killed(folder, seed):
    under_way = 0
    for number in range(KILLS):
        try:
            under_way += kill_at_random(folder, seed * 1000 + number, number % OPENING == 0)
            if forked(partial(opened_and_checked, folder)) != 0:
                raise AssertionError("not mended")
        except AssertionError as problem:
            raise AssertionError(f"kill {number}: {problem}") from problem
    return f"{KILLS} {under_way}"


def main(folder, kind, what):
    path = Path(folder)
    try:
        done = exhaustive(path, what) if kind == "exhaustive" else killed(path / "here", int(what))
    finally:
        shutil.rmtree(path / "here", ignore_errors=True)
    sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
