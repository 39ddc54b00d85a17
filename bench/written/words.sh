# shellcheck shell=bash
# The names that the written runbook uses, as they are on this range. Sourced by each scenario, which are the runbook's own
# commands in their order. What differs from the paper, and why, is said where it does.
#
# API, RANGE_PREFIX, RANGE_*_PORT, DB_USER, EMERGENCY_TOKEN and the rest come from bench/scenarios.

# `docker-compose -f docker-compose.prod.yml`, of this range.
compose() { range/compose "$@"; }

# Without `-it`: nobody sits at a terminal.
in_database() { docker exec -i "${RANGE_PREFIX}trading-postgres" psql -U "$DB_USER" -d trading_bot_prod "$@"; }

# The paper leaves the token out in two of three places; without it the halt is refused.
halt() { curl -s -X POST "$API/emergency/halt" -H "Authorization: Bearer $EMERGENCY_TOKEN"; }
