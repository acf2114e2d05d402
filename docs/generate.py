"""``python docs/generate.py``: writes the generated pages of the documentation. With ``--check`` it ends 1 if one is stale."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from docs.generator import pages, stale


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    if "--check" in arguments:
        return int(any(not file.exists() or file.read_text() != text for file, text in pages().items()) or bool(stale()))
    for file in stale():
        file.unlink()
    for file, text in pages().items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
