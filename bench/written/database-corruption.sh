#!/usr/bin/env bash
# Scenario 2 of the written runbook: database corruption.
#
# With MENDED=1 the one thing is done that the paper forgets: the damaged database is dropped and an empty one is made before
# the dump is read. As written, the dump goes on top of what is there: tables exist, rows are duplicates, and psql says so
# and ends with 0.
# shellcheck source=bench/written/words.sh
source "$(dirname "${BASH_SOURCE[0]}")/words.sh"

# 1. Stop all trading.
halt

# 2. Assess database damage.
in_database -c '\l' -c '\dt' -c 'SELECT count(*) FROM trades' -c 'SELECT count(*) FROM portfolio_positions'

# 3. Restore from backup.
docker stop "${RANGE_PREFIX}trading-postgres"
LATEST_BACKUP=$(cd "$RANGE_BACKUPS" && find . -maxdepth 1 -name '*.sql' -printf '%T@ %p\n' | sort -rn | head -n 1 | cut -d' ' -f2)
compose up -d trading-postgres
sleep 10
if [ "${MENDED:-0}" = 1 ]; then
    docker exec "${RANGE_PREFIX}trading-postgres" dropdb -U "$DB_USER" --force trading_bot_prod
    docker exec "${RANGE_PREFIX}trading-postgres" createdb -U "$DB_USER" trading_bot_prod
fi
in_database <"$RANGE_BACKUPS/$LATEST_BACKUP"

# 4. Verify data integrity.
in_database -c "
  SELECT
    (SELECT count(*) FROM trades) as trade_count,
    (SELECT count(*) FROM portfolio_positions) as position_count,
    (SELECT max(created_at) FROM trades) as latest_trade;
"

# 5. Resume operations; resuming trading is left out on both sides.
docker restart "${RANGE_PREFIX}trading-bot"
curl -s "$API/health"
