"""Lines that a thread hands to the loop that sends them: where there is no loop any more, and no room."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engines.answering import nothing_left_open
from engines.nodes import WAIT_S
from qrealm.base.errors import CancelledRunError
from qrealm.faces.http import streams
from qrealm.faces.http.streams import _LINES_AHEAD, _Caller


@pytest.mark.parametrize("lines", [0, _LINES_AHEAD])
def test_a_line_for_a_loop_that_has_ended(monkeypatch, lines):
    monkeypatch.setattr(streams, "_LOOK_S", 0.01)

    async def filled():
        caller = _Caller()
        for number in range(lines):
            caller.put(number)
        return caller

    with nothing_left_open():
        caller = asyncio.run(filled())
        with pytest.raises(CancelledRunError):
            caller.put("late")
        assert caller.gone.is_set()


def test_lines_come_in_order_and_none_is_made_far_ahead():
    made = []

    async def taken():
        caller = _Caller()

        def make():
            for number in range(10 * _LINES_AHEAD):
                caller.put(number)
                made.append(number)

        thread = threading.Thread(target=make, daemon=True)
        thread.start()
        for number in range(10 * _LINES_AHEAD):
            assert await caller.take() == number
            assert len(made) <= number + 1 + _LINES_AHEAD
        await asyncio.to_thread(thread.join, WAIT_S)
        assert not thread.is_alive()

    asyncio.run(taken())


def test_everybody_who_waits_for_room_is_told_when_the_caller_leaves(monkeypatch):
    monkeypatch.setattr(streams, "_LOOK_S", 1000.0)
    told = []

    async def left():
        caller = _Caller()

        def put():
            try:
                caller.put("more")
            except CancelledRunError:
                told.append("gone")

        for number in range(_LINES_AHEAD):
            caller.put(number)
        threads = [threading.Thread(target=put, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        caller.leave()
        for thread in threads:
            await asyncio.to_thread(thread.join, WAIT_S)

    asyncio.run(left())
    assert told == ["gone"] * 3
