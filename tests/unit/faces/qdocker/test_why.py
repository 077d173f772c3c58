"""`qdocker why` in words and numbers that can be read."""

from __future__ import annotations

import pytest

from qrealm.control.containers.placement import REPLACEMENT
from qrealm.faces.qdocker.placement_commands import NO_SCHEDULER, show_balance, show_decision


def decision(*changes):
    candidates = [
        {"node": f"n{number}", "change": change, "parts": {"balance": change}}
        for number, change in enumerate(changes, 1)
    ]
    return {
        "container": "web",
        "at": 1_700_000_000.0,
        "action": "create",
        "scheduler": "portfolio",
        "chosen": "n1",
        "before": None,
        "reason": "no node is better than n1; n2 is as good",
        "candidates": candidates,
        "refused": {"n3": "port 80 is taken by old"},
        "objective": 1e-17,
        "bound": -1e-17,
        "solver": "",
        "seconds": 0.001,
    }


@pytest.mark.parametrize(
    "changes, told",
    [
        ((-0.25, -0.25 - 6.93889e-18), "n2 would have cost the same"),
        ((1e-17, 0.0), "n2 would have cost the same"),
        ((0.5, 0.5), "n2 would have cost the same"),
        ((0.5, 0.75), "n2 would have cost 0.25 more"),
        ((0.5, 0.25), "n2 would have cost 0.25 less"),
    ],
)
def test_the_runner_up_is_compared_without_rounding_noise(capsys, changes, told):
    show_decision(decision(*changes))
    lines = capsys.readouterr().out.splitlines()
    (line,) = [each for each in lines if each.startswith("runner-up")]
    assert line.endswith(f"{told}, all else as decided")


def test_noise_is_no_cost(capsys):
    show_decision(decision(-6.93889e-18, 0.3))
    out = capsys.readouterr().out
    assert "e-1" not in out
    (objective,) = [line for line in out.splitlines() if line.startswith("objective")]
    assert objective.split()[1:] == ["0,", "proven", "bound", "0", "in", "0.001", "s"]
    (row,) = [line for line in out.splitlines() if line.startswith("n1 ")]
    assert row.split() == ["n1", "0", "0"]
    assert "port 80 is taken by old" in out


def test_a_rebalance_shows_no_noise_either(capsys):
    report = {
        "moves": [], "kept": ["a"], "objective_before": 5.568e-32, "objective_after": 0.25, "bound": -1e-17,
        "scheduler": "portfolio", "seconds": 0.1, "dry_run": False, "loads": {}, "move_costs": 0.0,
        "stays": {},
    }  # fmt: skip
    assert show_balance(report, wants_json=False) == 0
    assert "portfolio: objective 0 to 0.25, proven bound 0; 1 stay; 0.1 s" in capsys.readouterr().err


def test_what_stands_for_no_scheduler_is_the_same_on_both_sides():
    assert NO_SCHEDULER == REPLACEMENT


def test_a_drain_names_no_scheduler_that_nobody_chose(capsys):
    move = {"name": "web", "source": "n1", "target": "n2", "reason": "node n1 is draining", "error": ""}
    report = {
        "moves": [move | {"done": True}], "kept": ["data"], "objective_before": None, "objective_after": None,
        "bound": None, "scheduler": REPLACEMENT, "seconds": 0.003, "dry_run": False, "loads": {},
        "move_costs": 0.0, "stays": {"data": "its volume v is on node n1"},
    }  # fmt: skip
    assert show_balance(report, wants_json=False, all_must_go=True) == 1
    told = capsys.readouterr()
    assert told.err.splitlines()[0] == "1 moved, 1 stay; 0.003 s"
    show_decision(decision(0.5) | {"scheduler": REPLACEMENT, "action": "drain"})
    told = capsys.readouterr().out
    assert ", drain, without a scheduler\n" in told
    assert REPLACEMENT not in told
