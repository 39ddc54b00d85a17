#!/usr/bin/env bash
# Scenario 1 of the written runbook: complete system failure.
# shellcheck source=bench/written/words.sh
source "$(dirname "${BASH_SOURCE[0]}")/words.sh"

# 1. Assess infrastructure. `docker info` where the paper asks systemd.
docker info
df -h
free -h
uptime

# 2. Restart core infrastructure. Docker runs, so it is not restarted.
compose down
compose up -d

# 3. Verify service recovery.
sleep 30
curl -s "$API/health"
curl -s "http://127.0.0.1:$RANGE_GRAFANA_PORT"
curl -s "http://127.0.0.1:$RANGE_PROMETHEUS_PORT"

# 4. Restore trading state; resuming is left out on both sides.
curl -s "$API/portfolio/status"
curl -s "$API/risk/current"
