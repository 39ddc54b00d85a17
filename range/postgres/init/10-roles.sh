#!/usr/bin/env bash
# The roles that every cluster of the trading system has: a dump does not carry them.
# The passwords come from the environment and go to the server by its socket, not by any command line.
set -euo pipefail
export APP_DB_PASSWORD=${APP_DB_PASSWORD:-}
[ -n "$APP_DB_PASSWORD" ] || echo 'roles: APP_DB_PASSWORD is not set, so trading_bot cannot log in' >&2

psql -X -q -v ON_ERROR_STOP=1 --no-password -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
\getenv app_password APP_DB_PASSWORD
-- An empty password is none.
CREATE ROLE trading_bot LOGIN PASSWORD :'app_password';
CREATE ROLE trading_readonly NOLOGIN;
SELECT format('ALTER DATABASE %I OWNER TO trading_bot', current_database()) \gexec
SELECT format('ALTER DATABASE %I CONNECTION LIMIT 80', current_database()) \gexec
SELECT format('ALTER DATABASE %I SET idle_in_transaction_session_timeout TO %L', current_database(), '10min') \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO trading_readonly', current_database()) \gexec
SQL
