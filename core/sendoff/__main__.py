"""``python -m sendoff``."""

import sys
from pathlib import Path

# Python puts the working directory first, where plugins would be looked for too: what lies there is none of sendoff's.
if sys.path[0] in ("", str(Path.cwd())):
    del sys.path[0]

from sendoff.cli import main  # only once the path is right

main()
