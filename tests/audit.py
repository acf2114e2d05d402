"""``python -m tests.audit LOCK``: known weaknesses of the locked packages, by pip-audit.

Ends 1 if a package has one. Where the advisories cannot be asked for (no network, or an index that has none),
it says so and how many packages were not looked at, and ends 0: it must not be taken for a clean bill.
"""

from __future__ import annotations

import json
import subprocess
import sys


def main(lock: str) -> int:
    """Ask, tell, and say how to exit."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "-r",
        lock,
        "--no-deps",
        "--disable-pip",
        "--format",
        "json",
        "--progress-spinner",
        "off",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, subprocess.TimeoutExpired):
        print("audit: not done: no advisories could be asked for")
        return 0
    weak = [(package, flaw) for package in found for flaw in package.get("vulns", ())]
    for package, flaw in weak:
        mended = ", ".join(flaw["fix_versions"]) or "none yet"
        print(f"audit: {package['name']} {package['version']}: {flaw['id']}; mended in {mended}")
    unknown = sum("skip_reason" in package for package in found)
    print(f"audit: {len(found) - unknown} packages looked at, {unknown} not known to the advisories, {len(weak)} weaknesses")
    return int(bool(weak))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
