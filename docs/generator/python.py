"""The pages for who writes Python: the public names, errors, hooks, and the sandbox's rules."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import sendoff
from sendoff import errors, hookspecs, testing
from sendoff.components import KINDS
from sendoff.sandbox import rules as sandbox_rules

from .page import Page


def _python() -> Iterator[str]:
    for name in sendoff.__all__:
        thing = getattr(sendoff, name)
        if not inspect.isclass(thing) and not inspect.isfunction(thing):
            continue
        signature = f"`{name}{inspect.signature(thing)}`\n\n" if inspect.isfunction(thing) else ""
        yield f"## sendoff.{name}\n\n{signature}{inspect.getdoc(thing)}\n"
        for verb, member in vars(thing).items() if inspect.isclass(thing) else ():
            if verb.startswith("_") or not inspect.isfunction(member) or not member.__doc__:
                continue
            yield f"- `{verb}{inspect.signature(member)}`: {' '.join((inspect.getdoc(member) or '').split())}"
        yield ""


def _testing() -> Iterator[str]:
    yield f"{(inspect.getdoc(testing) or '').partition(chr(10) * 2)[2]}\n"
    for name in testing.__all__:
        thing = getattr(testing, name)
        if not inspect.isclass(thing) and not inspect.isfunction(thing):
            continue  # a fixture
        signature = f"`{name}{inspect.signature(thing)}`\n\n"
        yield f"## sendoff.testing.{name}\n\n{signature}{inspect.getdoc(thing) or ''}\n"
        for verb, member in vars(thing).items() if inspect.isclass(thing) else ():
            if not verb.startswith("_") and inspect.isfunction(member) and member.__doc__:
                yield f"- `{verb}{inspect.signature(member)}`: {' '.join((inspect.getdoc(member) or '').split())}"


def _errors() -> Iterator[str]:
    yield f"```text\n{inspect.cleandoc((errors.__doc__ or '').partition('::')[2])}\n```"


def _hooks() -> Iterator[str]:
    for kind in KINDS:
        hook = getattr(hookspecs, f"sendoff_{kind}")
        yield f"- `{hook.__name__}{inspect.signature(hook)}`: {inspect.getdoc(hook)}"


def _sandbox() -> Iterator[str]:
    yield f"```text\n{inspect.cleandoc(sandbox_rules.__doc__ or '')}\n```"


PAGES = [
    Page("python", "Python", "Every public name of the package `sendoff`.", _python),
    Page("testing", "The test kit", "What `sendoff.testing` has for tests of connectors and plugins.", _testing),
    Page("errors", "Errors", "The exceptions that `sendoff` raises, as a tree.", _errors),
    Page("hooks", "Hooks", "What a plugin implements to offer its components.", _hooks),
    Page("sandbox", "The sandbox", "The rules by which `sendoff sandbox --fail` misbehaves.", _sandbox),
]
