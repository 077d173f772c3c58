"""Problem files: read, written, refused with the place of the fault."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from qrealm.base.errors import ReadError, SchemaError, SourceFileError, SourceKindError, SyntaxReadError
from qrealm.optimize import Assignment, Bin, Ising, Item, MaxCut, Objective, Qubo, apart, spread
from qrealm.optimize.formats.problem_json import problem_from_dict, problem_to_dict
from qrealm.optimize.formats.read import read_problem
from qrealm.optimize.formats.vbp import read_vbp

VBP = "2\n100 50\n3\n30 20 1\n40 10 2\n-5 7 1\n"


def test_vbp_repeats_items_by_their_count():
    problem = read_vbp(VBP)
    assert problem.arrays.demand.tolist() == [[30, 20], [40, 10], [40, 10], [-5, 7]]
    assert problem.arrays.capacity.tolist() == [[100, 50]] * 4


@pytest.mark.parametrize(
    "text, line, message",
    [
        ("2\n100\n0\n", 2, "where 2 numbers must"),
        ("2\n100 50\n2\n1 1 1\n", 3, "promises 2 lines"),
        ("1\n5\n1\n1 x\n", 4, "where 2 numbers must"),
        ("1\n5\n1\nnan 1\n", 4, "where 2 numbers must"),
        ("1\n5\n1\n2 1.5\n", 4, "count is 1.5"),
        ("1.5\n5\n0\n", 1, "whole number"),
        ("", 0, "there are 0"),
    ],
)
def test_broken_vbp_says_where(text, line, message):
    with pytest.raises(SyntaxReadError, match=message) as caught:
        read_vbp(text, "x.vbp")
    assert caught.value.line == line


def problems():
    items = (
        Item("a", {"cpu": 1.5}, needs={"disk": "ssd"}, current="x", move_cost=2),
        Item("b", {"mem": 3}, priority=2),
    )
    bins = (
        Bin("x", {"cpu": 4, "mem": 8}, {"zone": "1", "disk": "ssd"}),
        Bin("y", {"cpu": 4}, {"zone": "2"}, cost=3),
    )
    rules = (apart("a", "b"), spread("a", "b", over="zone", skew=0, weight=1.5))
    yield Assignment(items, bins, rules, Objective(cost=2, balance=1), True, np.arange(4.0).reshape(2, 2))
    yield Qubo.from_matrix(np.arange(9.0).reshape(3, 3), offset=0.5)
    yield Ising.build([1, -2, 0.25], {(0, 2): 3, (2, 1): -1}, offset=2)
    yield MaxCut.build(4, [0, 1, 3], [1, 2, 0], [1, 2.5, -3])


@pytest.mark.parametrize("problem", list(problems()), ids=lambda problem: type(problem).__name__)
def test_json_round_trip(problem, tmp_path):
    written = problem_to_dict(problem)
    path = tmp_path / "p.json.gz"
    path.write_bytes(gzip.compress(json.dumps(written).encode()))
    back = read_problem(path)
    assert problem_to_dict(back) == {**written, "name": problem.name}
    assert type(back) is type(problem)


def assignment_with(**changes):
    return {"kind": "assignment", "items": [{"name": "a", "demand": {"cpu": 1}}], "bins": []} | changes


@pytest.mark.parametrize(
    "content, message",
    [
        ([], "a problem is a list"),
        ({"kind": "tsp"}, "kind is 'tsp'; it must be one of assignment"),
        (assignment_with(itms=[]), "unknown field 'itms'"),
        (assignment_with(items=[{"demand": {}}]), r"items\[0\] lacks the field 'name'"),
        (
            assignment_with(items=[{"name": "a", "demand": {}, "cpu": 1}]),
            r"items\[0\] has the unknown field 'cpu'",
        ),
        (assignment_with(items=[{"name": "a", "demand": 3}]), r"items\[0\]"),
        (assignment_with(items=[{"name": "a", "demand": {"cpu": "many"}}]), "is 'many'; it must be a number"),
        (assignment_with(bins=[{"name": "b", "capacity": {"cpu": -1}}]), "must not be negative"),
        (assignment_with(objective="speed"), "objective is 'speed'"),
        (assignment_with(may_leave_out="yes"), "may_leave_out is 'yes'"),
        ({"kind": "qubo", "linear": [0, 0], "couplings": [[0, 1]]}, r"couplings\[0\] is \[0, 1\]"),
        ({"kind": "qubo", "linear": [0, 0], "couplings": [[0, 2, 1]]}, "speaks of variable 2"),
        ({"kind": "maxcut", "nodes": 2.5}, "nodes is 2.5"),
    ],
)
def test_wrong_json_says_where(content, message):
    with pytest.raises(SchemaError, match=message):
        problem_from_dict(content)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "x.vbp.gz").write_bytes(b"not packed")
    (tmp_path / "x.txt").write_text("")
    (tmp_path / "y.json").write_text('{"kind": ')
    for name, kind in (
        ("x.json", SourceFileError),
        ("x.vbp.gz", SourceFileError),
        ("none.json", SourceFileError),
        (".", SourceFileError),
        ("x.txt", SourceKindError),
        ("y.json", SyntaxReadError),
    ):
        with pytest.raises(kind) as caught:
            read_problem(tmp_path / name)
        assert isinstance(caught.value, ReadError)
