"""The command line: one small file per command, loaded by name when it is needed."""

from sendoff.cli.group import main

__all__ = ["main"]
