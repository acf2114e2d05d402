"""Redpanda Connect's `http_client` output behind mq-bridge's file input. Same arguments as mq_bridge_route.py."""

import sys

import mq_bridge
import mq_bridge_connect

url, file, size, most = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
mq_bridge_connect.register()
output = {"connector": "http_client", "url": url, "verb": "POST", "max_in_flight": most, "publish_timeout": "120s"}
if size > 1:
    output["batching"] = {"count": size, "period": "1s", "processors": [{"archive": {"format": "json_array"}}]}
route = {
    "input": {"file": {"path": file}},
    "output": {"custom": {"name": "connect", "config": output}},
    "batch_size": 512 if size == 1 else size,
    "concurrency": 8 if size == 1 else 4,
    "exit_on_empty": True,
}
mq_bridge.Route.from_config({"routes": {"r": route}}, "r").run()
