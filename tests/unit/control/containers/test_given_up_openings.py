"""An opening of `QuantumDockerEngine` that is given up closes what it has opened, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib

from tests.unit.control.containers.test_quantum_engine import engine_in


def test_what_was_opened_since_stays_open(tmp_path):
    """One opens and is cancelled when it has just come about; meanwhile others close it and open again."""

    async def story():
        engine = engine_in(tmp_path)
        given_up = asyncio.create_task(engine.open())
        await asyncio.sleep(0)
        engine._doors.submit(lambda: None).result()  # it is open now, and nobody in this loop knows
        closing, again = asyncio.create_task(engine.close()), asyncio.create_task(engine.open())
        given_up.cancel()
        await asyncio.gather(closing, again)
        with contextlib.suppress(asyncio.CancelledError):
            await given_up
        await asyncio.wrap_future(engine._doors.submit(lambda: None))
        assert engine.parts.nodes.all()[0].record.name == "na"
        await engine.close()

    asyncio.run(story())
