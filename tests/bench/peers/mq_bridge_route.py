"""mq-bridge: a file to HTTP, line by line or in JSON arrays: python mq_bridge_route.py URL FILE RECORDS CONCURRENCY."""

import sys

import mq_bridge

url, file, size, most = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
output = (
    {"http": {"url": url, "batch_concurrency": most}}
    if size == 1
    else {
        "http_bulk": {
            "url": url.removesuffix("/x"),
            "max_request_bytes": 200 << 20,
            "upsert": {"path": "/x", "format": "json_array"},
        }
    }
)
route = {
    "input": {"file": {"path": file}},
    "output": output,
    "batch_size": 1024 if size == 1 else size,
    "exit_on_empty": True,
}
mq_bridge.Route.from_config({"routes": {"r": route}}, "r").run()
