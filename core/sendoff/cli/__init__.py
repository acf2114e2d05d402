"""The command line: one small file a command, found by name when it is asked for."""

from sendoff.cli.group import main

__all__ = ["main"]
