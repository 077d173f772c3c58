"""QREALM_REQUIRE turns a skip for want of a named tool into a failure, at collection and in a test."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
CONFTEST = Path(__file__).parents[1] / "conftest.py"

SKIPPING_TEST = """
import pytest
def test_needs_a_tool():
    pytest.importorskip("nosuchtool")
"""
SKIPPING_MODULE = """
import pytest
pytest.importorskip("nosuchtool")
def test_needs_a_tool():
    pass
"""


@pytest.mark.parametrize("source", [SKIPPING_TEST, SKIPPING_MODULE], ids=["test", "module"])
@pytest.mark.parametrize("required, exit_code", [("", 0), ("othertool", 0), ("othertool, nosuchtool", 1)])
def test_a_required_tool_may_not_be_missing(pytester, monkeypatch, source, required, exit_code):
    monkeypatch.setenv("QREALM_REQUIRE", required)
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile(test_sample=source, test_other="def test_passes(): pass")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    assert (result.ret != 0) == (exit_code != 0)
    if exit_code:
        result.stdout.fnmatch_lines(["*QREALM_REQUIRE names nosuchtool*"])
