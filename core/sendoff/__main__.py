"""``python -m sendoff``."""

from sendoff.cli import main

main()
