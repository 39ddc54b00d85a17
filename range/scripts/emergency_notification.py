#!/usr/bin/env python3
"""Tells somebody: posts the message to a webhook as JSON, or appends it to a file, or both. Ends with 0 only when it
arrived everywhere it was to go."""

import argparse
import datetime
import json
import os
import urllib.request

from report import LIMIT, Report


def posted(url, body):
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return 200 <= answer.status < 300, f"answered {answer.status}"
    except (OSError, ValueError) as error:
        return False, f"not delivered: {error}"


def written(path, body):
    try:
        with open(path, "ab") as file:
            file.write(body + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return False, f"not written: {error}"
    return True, "written"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--severity", required=True, choices=["critical", "high", "medium"])
    parser.add_argument("--message", required=True)
    parser.add_argument("--file", help="a file that one line is appended to")
    # In the environment, because whoever knows the address of a webhook may write to it.
    webhook = os.environ.get("NOTIFY_WEBHOOK")
    arguments = parser.parse_args()
    if not (webhook or arguments.file):
        parser.error("tell whom? NOTIFY_WEBHOOK in the environment, or --file")
    at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    body = json.dumps({"at": at, "severity": arguments.severity, "message": arguments.message}).encode()
    report = Report()
    if webhook:
        report.check("webhook", lambda: posted(webhook, body))
    if arguments.file:
        report.check("file", lambda: written(arguments.file, body))
    report.end()


if __name__ == "__main__":
    main()
