# shellcheck shell=bash
# What the range's scripts share: settings with their defaults, and the tools they call. Sourced, not run.

RANGE_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPOSITORY=$(dirname "$RANGE_DIR")

# An absolute path; a relative one is taken from the repository.
absolute() {
    case $1 in
        /*) printf '%s\n' "$1" ;;
        *) printf '%s\n' "$REPOSITORY/${1#./}" ;;
    esac
}

export RANGE_PROJECT=${RANGE_PROJECT:-antbot}
export RANGE_PREFIX=${RANGE_PREFIX:-}
export RANGE_API_PORT=${RANGE_API_PORT:-8080}
export RANGE_PG_PORT=${RANGE_PG_PORT:-15432}
export RANGE_PROMETHEUS_PORT=${RANGE_PROMETHEUS_PORT:-9090}
export RANGE_ALERTMANAGER_PORT=${RANGE_ALERTMANAGER_PORT:-9093}
export RANGE_ALERTS_TO=${RANGE_ALERTS_TO:-127.0.0.1:9464}
export RANGE_GRAFANA_PORT=${RANGE_GRAFANA_PORT:-3000}
export RANGE_HELIUS_PORT=${RANGE_HELIUS_PORT:-8901}
export RANGE_QUICKNODE_PORT=${RANGE_QUICKNODE_PORT:-8902}
export RANGE_MONITORING=${RANGE_MONITORING:-1}
# Which of compose.yaml's optional services are meant. Taking down means all of them, so that none is left behind.
[ "$RANGE_MONITORING" = 0 ] && COMPOSE_PROFILES='' || COMPOSE_PROFILES=monitoring
export COMPOSE_PROFILES
RANGE_BACKUPS=$(absolute "${RANGE_BACKUPS:-range/backups}")
RANGE_LEDGER=$(absolute "${RANGE_LEDGER:-range/ledger}")
export RANGE_BACKUPS RANGE_LEDGER
export RANGE_TRADES=${RANGE_TRADES:-200000}
export RANGE_FORGET_HALT=${RANGE_FORGET_HALT:-0}
export RANGE_BACKUP_EVERY=${RANGE_BACKUP_EVERY:-120}
export RANGE_BACKUP_KEEP=${RANGE_BACKUP_KEEP:-8}
export DB_USER=antbot
export DB_NAME=trading_bot_prod

BASE_IMAGE=drbot-range-base:bookworm
export RANGE_IMAGES=${RANGE_IMAGES:-drbot-range}
POSTGRES_IMAGE=$RANGE_IMAGES-postgres:15
REDIS_IMAGE=$RANGE_IMAGES-redis:latest
BOT_IMAGE=$RANGE_IMAGES-trading-bot
PROMETHEUS_IMAGE=$RANGE_IMAGES-prometheus:bookworm
ALERTMANAGER_IMAGE=$RANGE_IMAGES-alertmanager:bookworm
GRAFANA_IMAGE=$RANGE_IMAGES-grafana:stand-in
# Versions of the stand-in: v1.3.0 leaks and loses trades, v1.3.1 fails its health check, v2.0.0 needs a newer schema.
BOT_VERSIONS=(dev v1.2.3 v1.2.4 v1.3.0 v1.3.1 v2.0.0)
export BASE_IMAGE POSTGRES_IMAGE REDIS_IMAGE BOT_IMAGE PROMETHEUS_IMAGE ALERTMANAGER_IMAGE GRAFANA_IMAGE BOT_VERSIONS

POSTGRES=${RANGE_PREFIX}trading-postgres
BOT=${RANGE_PREFIX}trading-bot
BACKUPS=${RANGE_PREFIX}trading-backups
export POSTGRES BOT BACKUPS

say() { printf 'range: %s\n' "$*"; }

fail() {
    printf 'range: %s\n' "$*" >&2
    exit 1
}

# Prints the comment at the top of the calling script, which is its help, and ends when the first argument asks for it.
help_if_asked() {
    case ${1:-} in
        -h | --help | help)
            sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"
            exit 0
            ;;
    esac
}

need_docker() {
    command -v docker >/dev/null || fail "docker is missing; run range/prepare as root on Debian, or install Docker Engine"
    docker info >/dev/null 2>&1 || fail "no Docker engine answers; start it (range/prepare does on Debian), or join the group docker"
}

# The compose tool that this machine has, with the range's project and file.
compose() {
    local tool
    if docker compose version >/dev/null 2>&1; then
        tool=(docker compose)
    elif command -v docker-compose >/dev/null; then
        tool=(docker-compose)
    else
        fail "no compose tool; run range/prepare as root on Debian, or install the compose plugin of Docker"
    fi
    "${tool[@]}" -p "$RANGE_PROJECT" -f "$RANGE_DIR/compose.yaml" "$@"
}

is_running() { [ "$(docker inspect -f '{{.State.Running}}' "$1" 2>/dev/null)" = true ]; }

# psql as the superuser over the server's own socket, so that no password is needed.
superuser_psql() {
    docker exec -i "$POSTGRES" psql -X -q -v ON_ERROR_STOP=1 -U "$DB_USER" -d "$DB_NAME" "$@"
}

# Waits until a command succeeds: wait_for SECONDS WHAT COMMAND…
wait_for() {
    local limit=$1 what=$2 start=$SECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $((SECONDS - start)) -lt "$limit" ] || return 1
        sleep 0.3
    done
    say "$what after $((SECONDS - start)) s"
}

postgres_answers() {
    docker exec "$POSTGRES" pg_isready -q -h 127.0.0.1 -U "$DB_USER" -d "$DB_NAME"
}
