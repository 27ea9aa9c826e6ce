"""A pytest plugin that writes a line of JSON for each test as it ends: its id, its outcome, and why it is not "passed"."""

import json
import os

ended = {}


def verdict(report):
    """The outcome of one phase (setup, call or teardown) of a test, or None if it says nothing."""
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash else str(report.longrepr)
        return "failed", f"{report.when}: {text}"
    if hasattr(report, "wasxfail"):
        return ("xfailed" if report.skipped else "xpassed"), report.wasxfail
    if report.skipped:
        return "skipped", str(report.longrepr[-1])
    return ("passed", "") if report.when == "call" else None


def pytest_runtest_logreport(report):
    found = verdict(report)
    if found and ended.get(report.nodeid, ("", ""))[0] != "failed":
        ended[report.nodeid] = found
    if report.when == "teardown":
        outcome, why = ended.pop(report.nodeid, ("failed", "no phase of it was reported"))
        line = {"id": report.nodeid, "outcome": outcome, "why": why[:2000]}
        with open(os.environ["COMPAT_REPORT"], "a", encoding="utf-8") as f:
            f.write(json.dumps(line) + "\n")
