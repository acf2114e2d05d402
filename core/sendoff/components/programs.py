"""What programs that connectors run get of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

#: What a program needs to run at all, to find its files and certificates, and to write as its user reads. None of it is secret.
_PASSED_ON = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "VIRTUAL_ENV",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "LD_LIBRARY_PATH",
        "TERM",
        "NO_PROXY",
        "no_proxy",
    }
)
_PASSED_ON_PREFIXES = ("LC_", "XDG_")

#: What the sentence of a program that ended with an error adds.
ENV_HINT = "it got a minimal environment; name more variables in `env`"

#: An option of a component that runs a program.
ENV: dict[str, object] = {
    "type": "dict", "keysrules": {"type": "string", "regex": r"[A-Za-z_][A-Za-z0-9_]*"}, "valuesrules": {"type": "string"},
    "default": {},
    "meta": {
        "help": "Variables for the program, like `TOKEN: ${env:TOKEN}`. Of sendoff's own it gets `PATH`, `HOME` and the like."
    },
}  # fmt: skip


def program_environment(named: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program: what every program needs, and what the connector names."""
    own = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)}
    return {**own, **named}
