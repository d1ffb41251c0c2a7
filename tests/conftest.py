"""Every skip is something that was not proven on this machine: it is written down where `script/test` counts it."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    outcome = yield
    report = outcome.get_result()
    path = os.environ.get("CLOUDFAIL_UNPROVEN")
    if report.skipped and path:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        with open(path, "a") as lines:
            lines.write(f"{item.nodeid}: {reason}\n")
