"""The script people write first: urllib3, with threads when records go one by one. No schema, no account.

python plain.py URL FILE RECORDS_PER_REQUEST THREADS
"""

import sys
from pathlib import Path
from queue import Queue
from threading import Thread

import urllib3

url, file, size, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
address, port = url.removeprefix("http://").partition("/")[0].split(":")
pool = urllib3.HTTPConnectionPool(address, int(port), maxsize=threads)
queue: Queue[bytes | None] = Queue(4 * threads)


def work() -> None:
    while (body := queue.get()) is not None:
        answer = pool.urlopen("POST", "/x", body=body, headers={"Content-Type": "application/json"}, retries=False)
        assert answer.status == 200, answer.status


hands = [Thread(target=work) for _ in range(threads)]
for thread in hands:
    thread.start()
rows = []
with Path(file).open("rb") as stream:
    for line in stream:
        if size == 1:
            queue.put(line[:-1])
            continue
        rows.append(line[:-1])
        if len(rows) == size:
            queue.put(b"[" + b",".join(rows) + b"]")
            rows = []
if rows:
    queue.put(b"[" + b",".join(rows) + b"]")
for _ in hands:
    queue.put(None)
for thread in hands:
    thread.join()
