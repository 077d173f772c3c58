"""What all tests share: a tool named in QREALM_REQUIRE must be there, so a test that skips for want of it
fails; drawn examples are the same each time, however long the machine takes for them."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "same everywhere", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same everywhere")

_REQUIRED = frozenset(
    name.strip() for name in os.environ.get("QREALM_REQUIRE", "").split(",") if name.strip()
)


def _required_tool_missing(reason: str) -> str | None:
    """The required tool that a skip's reason names, or None."""
    return next((name for name in sorted(_REQUIRED) if name in reason), None)


def _fail_if_required(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip that names a required tool into a failure."""
    if not (report.skipped and isinstance(report.longrepr, tuple)):
        return
    reason = report.longrepr[2]
    if tool := _required_tool_missing(reason):
        report.outcome = "failed"
        report.longrepr = f"QREALM_REQUIRE names {tool}, so this may not skip: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _fail_if_required(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_required(report)
    return report
