#!/usr/bin/env bash
# Installs the servers that the acceptance tests drive, each in a place of its own.
set -euo pipefail
cd "$(dirname "$0")"
if ! command -v prometheus-alertmanager >/dev/null; then
  sudo=""; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends prometheus-alertmanager
fi
[ -x .servers/node_modules/.bin/json-server ] || npm install --silent --no-audit --no-fund --prefix .servers json-server@0.17.4
for server in datasette==1.0a41 kinto==26.5.0; do
  name=${server%%=*}
  [ -x ".servers/$name/bin/$name" ] && continue
  "${PYTHON:-python3}" -m venv ".servers/$name"
  ".servers/$name/bin/pip" install --quiet --disable-pip-version-check "$server"
done
