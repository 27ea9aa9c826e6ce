"""A pytest plugin that writes a line of JSON for each test as it ends: its id, its outcome, and why it is not "passed".

Some tests connect to Redis's usual port, whatever URL the suite is given. They are led to that URL's server: else they would
find nothing, or somebody's Redis.
"""

import json
import os
import socket
from urllib.parse import urlparse

ended = {}


class Socket(socket.socket):
    """A socket that takes port 6379 of this machine for the server under test."""

    server = None

    def connect(self, address):
        if isinstance(address, tuple) and address[1] == 6379 and address[0] in ("127.0.0.1", "::1", "localhost"):
            address = (address[0], self.server, *address[2:])
        return super().connect(address)


def pytest_configure(config):
    Socket.server = urlparse(config.getoption("--redis-url")).port
    socket.socket = Socket


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
