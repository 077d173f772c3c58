"""The benchmark of packings: it reads the archives, hides the order of the items, and counts gaps."""

from __future__ import annotations

import io
import sys
import tarfile

import numpy as np
import pytest
from benchmarks.packing import instances, main, mean_gap, measure

HEAD = "instance_name\tLB\tOPT\tbest_overall\n"


def write_set(folder, collection, rows):
    """Instances of planted triples, 100 in each of two resources; `rows`: name, bins, optimum, published."""
    with tarfile.open(folder / f"{collection}_instances.tar.gz", "w:gz") as packed:
        for name, bins, _, _ in rows:
            triple = ["20 45 1", "30 25 1", "50 30 1"]
            text = "\n".join(["2", "100 100", str(3 * bins), *triple * bins]) + "\n"
            info = tarfile.TarInfo(f"{collection}/{name}.vbp")
            info.size = len(text)
            packed.addfile(info, io.BytesIO(text.encode()))
    table = HEAD + "".join(f"{name}\t{bins}\t{opt}\t{published}\n" for name, bins, opt, published in rows)
    (folder / f"{collection}_known.csv").write_text(table, encoding="utf-8")


@pytest.fixture
def data(tmp_path):
    rows = [(f"classT_{3 * bins}_2_{k}", bins, bins, bins + 1) for bins in (4, 8) for k in range(3)]
    write_set(tmp_path, "Triplet", [*rows, ("classT_9_2_0", 3, -1, 4)])
    return tmp_path


def test_instances_with_unknown_optimum_are_left_out_and_samples_are_of_each_group(data):
    every = list(instances("Triplet", data, None))
    assert len(every) == 6
    assert [one.group for one in instances("Triplet", data, 1)] == ["classT_12_2", "classT_24_2"]
    planted = np.array([[20, 45], [30, 25], [50, 30]] * 8)
    shuffled = every[-1].problem.arrays.demand
    assert not np.array_equal(shuffled, planted)
    np.testing.assert_array_equal(np.sort(shuffled, axis=0), np.sort(planted, axis=0))


def test_gaps_are_counted_from_checked_packings(data):
    rows = [measure(one, "packing", 5.0, seed=1) for one in instances("Triplet", data, 1)]
    assert [(row.ours, row.bound, row.optimum) for row in rows] == [(4, 4, 4), (8, 8, 8)]
    assert mean_gap(rows, "ours") == 0.0
    assert mean_gap(rows, "published") == pytest.approx(100 * (1 / 4 + 1 / 8) / 2)
    assert all(row.ffd >= row.optimum and row.first_fit >= row.optimum for row in rows)


def test_the_command_prints_a_table_or_says_what_is_missing(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["packing", "--data", str(data), "--set", "triplet", "--json", str(tmp_path / "f.json")]
    )
    main()
    assert "classT                     6       0.00" in capsys.readouterr().out
    assert '"optimum": 8' in (tmp_path / "f.json").read_text()
    monkeypatch.setattr(sys, "argv", ["packing", "--data", str(tmp_path / "absent")])
    main()
    assert "is not a folder" in capsys.readouterr().out
