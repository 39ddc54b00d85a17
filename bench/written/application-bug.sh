#!/usr/bin/env bash
# Scenario 4 of the written runbook: critical application bug.
# shellcheck source=bench/written/words.sh
source "$(dirname "${BASH_SOURCE[0]}")/words.sh"

# 1. Immediate mitigation.
halt
curl -s "$API/debug/memory"
curl -s "$API/debug/goroutines"

# 2. Roll back to the previous version.
compose down
export ANTBOT_VERSION=$GOOD_VERSION
compose up -d

# 3. Verify. The paper asks at once, when nothing answers yet: asked again until something does.
for _ in $(seq 600); do
    curl -sf "$API/version" && curl -sf "$API/health" && break
    sleep 0.1
done
