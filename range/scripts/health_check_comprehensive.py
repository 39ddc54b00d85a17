#!/usr/bin/env python3
"""Looks at every part of the system at once: the API's endpoints, the database behind them, Prometheus, Grafana."""

import argparse

from report import Report, get


def endpoint(url, *fields):
    """An endpoint answers 200 with these fields in it."""
    status, body = get(url)
    if status != 200:
        reason = body.get("reason") or body.get("error") if isinstance(body, dict) else body
        return False, f"{status}: {reason}"
    missing = [field for field in fields if not isinstance(body, dict) or field not in body]
    if missing:
        return False, f"the answer has no {', '.join(missing)}"
    return True, ", ".join(f"{field} {body[field]}" for field in fields) or "answers"


def metrics(url):
    status, text = get(url)
    if status != 200 or "trading_active" not in str(text) and "api_availability" not in str(text):
        return False, f"{status}: no figures of trading in it"
    return True, "figures are served"


def targets(url):
    status, body = get(f"{url}/api/v1/targets?state=active")
    if status != 200 or not isinstance(body, dict):
        return False, f"{status}: {body}"
    active = body["data"]["activeTargets"]
    down = [f"{target['labels']['job']} ({target['lastError'] or 'not scraped yet'})"
            for target in active if target["health"] != "up"]  # fmt: skip
    if down:
        return False, f"down: {', '.join(down)}"
    return bool(active), f"{len(active)} targets up" if active else "there are no targets"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", default="http://127.0.0.1:8080")
    parser.add_argument("--prometheus", help="base URL; not looked at when left out")
    parser.add_argument("--grafana", help="base URL; not looked at when left out")
    arguments = parser.parse_args()
    api = arguments.api
    report = Report()
    report.check("health", lambda: endpoint(f"{api}/health", "status", "database", "redis"))
    report.check("trading state", lambda: endpoint(f"{api}/status/trading", "trading", "mode"))
    report.check("version", lambda: endpoint(f"{api}/version", "version"))
    report.check("portfolio", lambda: endpoint(f"{api}/portfolio/status", "positions", "trades"))
    report.check("risk", lambda: endpoint(f"{api}/risk/current", "max_position_size", "accounts_with_limits"))
    report.check("metrics", lambda: metrics(f"{api}/metrics"))
    if arguments.prometheus:
        report.check("Prometheus targets", lambda: targets(arguments.prometheus))
    if arguments.grafana:
        report.check("Grafana", lambda: endpoint(f"{arguments.grafana}/api/health", "database"))
    report.end()


if __name__ == "__main__":
    main()
