#!/usr/bin/env python3
"""Looks whether the trading database is whole: what refers to what, constraints, indexes, and whether it takes writes."""

import argparse

from report import Database, Report

# What must be 0, and what it counts.
COUNTS = {
    "trades without their order":
        "SELECT count(*) FROM trades t WHERE NOT EXISTS (SELECT FROM orders o WHERE o.id = t.order_id)",
    "positions without their last trade":
        "SELECT count(*) FROM portfolio_positions p WHERE NOT EXISTS (SELECT FROM trades t WHERE t.id = p.last_trade_id)",
    "positions that are not the sum of their trades":
        "SELECT count(*) FROM (SELECT account_id, market_id, sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END) AS q"
        " FROM trades GROUP BY 1, 2) s FULL JOIN portfolio_positions p USING (account_id, market_id)"
        " WHERE p.quantity IS DISTINCT FROM s.q",
    "rows that refer to an account that is not there":
        "SELECT (SELECT count(*) FROM trades t WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = t.account_id))"
        " + (SELECT count(*) FROM balances b WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = b.account_id))",
    "signatures that two trades have":
        "SELECT count(*) FROM (SELECT FROM trades GROUP BY signature HAVING count(*) > 1) twice",
    "negative balances": "SELECT count(*) FROM balances WHERE amount < 0",
    "constraints that are not valid": "SELECT count(*) FROM pg_constraint WHERE NOT convalidated",
    "indexes that are not valid": "SELECT count(*) FROM pg_index WHERE NOT (indisvalid AND indisready)",
}  # fmt: skip
TABLES = ("accounts", "orders", "trades", "portfolio_positions", "balances", "risk_limits")


def none(database, query):
    count = database.number(query)
    return count == 0, str(count) if count else "none"


def tables(database):
    wanted = ", ".join(f"('{name}')" for name in TABLES)
    missing = database.text(
        f"SELECT string_agg(name, ', ') FROM (VALUES {wanted}) w(name) WHERE to_regclass('public.' || name) IS NULL")
    return not missing, f"missing: {missing}" if missing else f"{len(TABLES)} there"


def writes(database):
    off = database.text(
        "SELECT string_agg(c, ', ') FROM pg_db_role_setting s, unnest(setconfig) c"
        " WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND c = 'default_transaction_read_only=on'")
    recovering = database.text("SELECT pg_is_in_recovery()")
    if off or recovering == "t":
        return False, "it refuses writes"
    return True, "it takes writes"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    Database.arguments(parser)
    database = Database(parser.parse_args())
    report = Report()
    report.check("tables", lambda: tables(database))
    report.check("writes", lambda: writes(database))
    for name, query in COUNTS.items():
        report.check(name, lambda query=query: none(database, query))
    report.end()


if __name__ == "__main__":
    main()
