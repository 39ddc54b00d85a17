"""What the helper scripts share: checks that are really made, and a report of them as JSON.

A script prints one JSON object and nothing else:
    {"ok": false, "summary": "…", "problems": ["…"], "checks": [{"check": "…", "ok": true, "says": "…"}, …]}
and ends with 0 when all is good, 1 when something is not, 2 when it could not be looked at.
Python's standard library is all that is needed.
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

LIMIT = 5  # seconds for one request
QUERY_LIMIT = 20  # seconds for one look at the database


class Unreachable(Exception):
    """It could not be looked at: nothing is known, which is not good."""


class Report:
    def __init__(self):
        self.checks = []
        self.blind = False

    def check(self, name, look):
        """Makes one check. `look` returns (good, what was seen)."""
        try:
            good, says = look()
        except Unreachable as error:
            self.blind = True
            good, says = False, f"cannot be looked at: {error}"
        self.checks.append({"check": name, "ok": bool(good), "says": says})

    def end(self):
        bad = [check for check in self.checks if not check["ok"]]
        problems = [f"{check['check']}: {check['says']}" for check in bad]
        good = f"all {len(self.checks)} checks good"
        report = {
            "ok": not bad,
            "summary": "; ".join(problems) or good,
            "problems": problems,
            "checks": self.checks,
        }
        json.dump(report, sys.stdout, indent=1)
        print()
        sys.exit(2 if self.blind else 1 if bad else 0)


def get(url):
    """The status and the JSON (or text) of an answer."""
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return answer.status, parse(answer.read(1 << 20))
    except urllib.error.HTTPError as error:
        return error.code, parse(error.read(1 << 20))
    except (OSError, ValueError) as error:
        raise Unreachable(f"{url}: {getattr(error, 'reason', error)}") from None


def parse(body):
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text[:200]


class Database:
    """Asks PostgreSQL by psql in its own container, so that no password is needed. Only reads."""

    def __init__(self, arguments):
        self.command = [
            "docker", "exec", "-e", "PGOPTIONS=-c default_transaction_read_only=on -c statement_timeout=15s",
            arguments.container, "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
            "-U", arguments.user, "-d", arguments.database, "-c",
        ]  # fmt: skip

    def number(self, query):
        return int(self.text(query) or 0)

    def text(self, query):
        try:
            done = subprocess.run(
                [*self.command, query], capture_output=True, text=True, timeout=QUERY_LIMIT, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unreachable(str(error)[:200]) from None
        if done.returncode != 0:
            raise Unreachable(done.stderr.strip().replace("\n", " ")[:200])
        return done.stdout.strip()

    @staticmethod
    def arguments(parser):
        prefix = os.environ.get("RANGE_PREFIX", "")
        parser.add_argument("--container", default=f"{prefix}trading-postgres", help="PostgreSQL's container")
        parser.add_argument("--user", default="antbot")
        parser.add_argument("--database", default="trading_bot_prod")
