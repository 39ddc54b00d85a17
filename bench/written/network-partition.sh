#!/usr/bin/env bash
# Scenario 3 of the written runbook: network connectivity issues; also for an outage of the provider.
# shellcheck source=bench/written/words.sh
source "$(dirname "${BASH_SOURCE[0]}")/words.sh"

# 1. Diagnose. This range has its own providers, and nothing is sent off this machine: the pings go to the loopback and the
#    names are this machine's.
# Where there is no ping: its two pauses.
ping -c 3 127.0.0.1 || sleep 2
curl -sI "http://127.0.0.1:$RANGE_HELIUS_PORT"
curl -sI "http://127.0.0.1:$RANGE_QUICKNODE_PORT"
getent hosts localhost
getent hosts localhost

# 2. Switch to backup services.
curl -s -X POST "$API/config/update" \
    -H "Content-Type: application/json" \
    -H "Authorization: Bearer $ADMIN_TOKEN" \
    -d '{
       "primary_rpc": "quicknode_endpoint",
       "backup_rpc": "helius_endpoint",
       "failover_enabled": true
     }'

# 3. Monitor service recovery: looked at once a second, until the figures are good.
for _ in $(seq 60); do
    curl -s "$API/metrics" | grep -E "(api_availability|rpc_latency)" | tee /dev/stderr |
        grep -qE '^api_availability\{role="primary"[^}]*\} 1$' && break
    sleep 1
done
