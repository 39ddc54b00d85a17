#!/usr/bin/env python3
"""Looks whether the history of trades can be true: none from the future, none with figures that cannot be, every filled
order with its trade, time that goes on as the numbers do, and none written since trading was halted."""

import argparse

from report import Database, Report, Unreachable, get

COUNTS = {
    "trades from the future": "SELECT count(*) FROM trades WHERE created_at > clock_timestamp() + interval '5 seconds'",
    "trades with figures that cannot be": "SELECT count(*) FROM trades WHERE quantity <= 0 OR price <= 0 OR fee < 0",
    "filled orders without a trade":
        "SELECT count(*) FROM orders o WHERE status = 'filled' AND NOT EXISTS (SELECT FROM trades t WHERE t.order_id = o.id)",
    "trades that are not as their order says":
        "SELECT count(*) FROM trades t JOIN orders o ON o.id = t.order_id WHERE (t.account_id, t.market_id, t.side)"
        " IS DISTINCT FROM (o.account_id, o.market_id, o.side) OR t.quantity > o.quantity",
    # Numbers are given before the time is read: neighbours may cross by a moment, and no more.
    "trades older than those before them":
        "SELECT count(*) FROM (SELECT created_at, lag(created_at) OVER (ORDER BY id) AS before FROM trades) t"
        " WHERE created_at < before - interval '5 seconds'",
}  # fmt: skip


def none(database, query):
    count = database.number(query)
    return count == 0, str(count) if count else "none"


def since_halt(database, api):
    """While trading is halted, no trade is younger than the halt."""
    status, body = get(f"{api}/status/trading")
    if status != 200 or not isinstance(body, dict) or "trading" not in body:
        raise Unreachable(f"the API says {status} to /status/trading")
    if body["trading"] != "halted":
        return True, f"trading is {body['trading']}"
    since = str(body["since"]).replace("'", "")
    count = database.number(f"SELECT count(*) FROM trades WHERE created_at > '{since}'::timestamptz + interval '1 second'")
    return count == 0, f"{count} after {since}" if count else f"none since {since}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--api", default="http://127.0.0.1:8080")
    Database.arguments(parser)
    arguments = parser.parse_args()
    database = Database(arguments)
    report = Report()
    for name, query in COUNTS.items():
        report.check(name, lambda query=query: none(database, query))
    report.check("trades since the halt", lambda: since_halt(database, arguments.api))
    report.end()


if __name__ == "__main__":
    main()
