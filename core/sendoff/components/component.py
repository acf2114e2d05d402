"""The contract of every component: a name, options and a docstring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

from sendoff.cleaning import EXCERPT_LENGTH, excerpt
from sendoff.options import Declared


class Component:
    """The whole contract of a plugin's class: a name, options, a docstring."""

    #: The name that `use:` selects it by.
    name: ClassVar[str]
    #: Its options: Cerberus rules by name. A rule without ``default`` makes the option required.
    options: ClassVar[Mapping[str, Any]] = {}
    #: ``sources``, ``senders`` and so on; each kind sets its own.
    kind: ClassVar[str]
    #: Why it cannot be restricted ("runs programs"), or "". Such a component is forbidden where egress is `public`.
    privileged: ClassVar[str] = ""
    #: What it is used for where none is named. Sources: endings of files, like ``.csv``. Senders: ``one`` or ``many``
    #: records a request. Transports: ``destinations``, or ``tls_proxies``, which are proxies that are themselves reached
    #: by TLS. Failure strategies: ``rejection``. Observers: ``terminal``, where progress is shown; ``log``, where standard
    #: error is a log.
    default_for: ClassVar[Sequence[str]] = ()
    #: Takes the secrets of its connector out of a text.
    redact: Callable[[str], str] = staticmethod(str)

    def __init__(self, *, home: Path | None = None, **options: Any) -> None:
        #: The directory that relative paths in the connector file start from.
        self.home = home or Path()
        defaults = {name: deepcopy(rule["default"]) for name, rule in self.options.items() if "default" in rule}
        for name, value in {**defaults, **options}.items():
            setattr(self, name, value)

    @classmethod
    def conflicts(cls, options: Declared) -> Iterable[tuple[str, str]]:
        """What does not go together among the options that a file gives, or is missing: the option's name and a sentence.

        Each option by itself has been checked by its rules; the values of secrets and files may be unknown.
        """
        return ()

    def excerpt(self, text: str, limit: int = EXCERPT_LENGTH) -> str:
        """The beginning of a text from outside, in one line, without secrets: what may stand in an error's sentence."""
        return excerpt(text, limit, redact=self.redact)
