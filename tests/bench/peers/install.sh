#!/bin/sh
# Install the peers that `make bench` measures beside sendoff. What cannot be had is left out, and said.
cd "$(dirname "$0")/.." || exit 1
mkdir -p .peers
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  apt-get install -y -q wrk syslog-ng-core syslog-ng-mod-http libssl-dev >/dev/null 2>&1 || echo "wrk, syslog-ng: not installed"
fi
[ -x .peers/bridge/bin/python ] || python3 -m venv .peers/bridge
.peers/bridge/bin/pip install -q --disable-pip-version-check mq-bridge==1.2.0 mq-bridge-connect==0.2.2 2>/dev/null || echo "mq-bridge: not installed"
[ -x .peers/drt/bin/python ] || python3 -m venv .peers/drt
.peers/drt/bin/pip install -q --disable-pip-version-check drt-core==1.2.1 dlt==1.31.0 2>/dev/null || echo "drt, dlt: not installed"
if command -v npm >/dev/null; then
  (cd .peers && npm install --silent --no-fund --no-audit undici@7 >/dev/null 2>&1) || echo "undici: not installed"
fi
exit 0
