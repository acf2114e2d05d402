"""Run Cerberus's own tests, and write down each document that they have validated: ``record_cerberus.py SUITE OUT``.

SUITE is the unpacked source distribution; the Cerberus that runs is the installed one. OUT is a pickle: `calls`, each a pickle
of its own, and how many were `left_out`, by the reason.
"""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path
from typing import Any

import cerberus
import pytest
from cerberus.schema import DefinitionSchema
from cerberus.validator import BareValidator


def main(suite: str, out: str) -> int:
    cerberus.__path__.append(str(Path(suite, "cerberus")))  # which has the tests that the installed one comes without
    calls: list[bytes] = []
    left_out: dict[str, int] = {}
    usual, here = BareValidator.validate, [""]

    def note(reason: str) -> None:
        left_out[reason] = left_out.get(reason, 0) + 1

    def validate(self: Any, document: Any, schema: Any = None, update: bool = False, normalize: bool = True) -> Any:  # noqa: FBT002  # Cerberus's own signature
        if self.is_child:
            return usual(self, document, schema, update, normalize)
        call: dict[str, Any] = {"test": here[0]}
        given = schema if schema is not None else self.schema
        # Rules are resolved while they are looked at, so that both are copied before.
        try:
            call["document"] = copy.deepcopy(document)
            call["schema"] = copy.deepcopy(dict(given.schema if isinstance(given, DefinitionSchema) else given))
        except Exception:
            call["document"] = call["schema"] = None
        call["good"] = usual(self, document, schema, update, normalize)
        call["after"] = copy.deepcopy(self.document)
        call |= {name: getattr(self, name) for name in ("allow_unknown", "require_all", "purge_unknown", "ignore_none_values")}
        call["error"] = "" if call["good"] else str(self.errors)
        if type(self) is not cerberus.Validator:
            note("a validator with rules of its own")
        elif update or not normalize:
            note("an update, or without normalisation")
        elif not isinstance(call["allow_unknown"], bool):
            note("rules for unknown fields")
        else:
            try:
                dumped = pickle.dumps(call)
                assert b"cerberus" not in dumped.replace(call["test"].encode(), b"")  # a function of the tests, by its name
                calls.append(dumped)
            except Exception:
                note("a schema with functions in it")
        return call["good"]

    BareValidator.validate = BareValidator.__call__ = validate

    class Recorder:
        @staticmethod
        def pytest_runtest_setup(item: pytest.Item) -> None:
            here[0] = item.nodeid.rpartition("/")[2]

    tests = Path(suite, "cerberus/tests")
    code = pytest.main(
        [
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "-c",
            "/dev/null",
            "--continue-on-collection-errors",
            "--rootdir",
            suite,
            str(tests),
        ],
        [Recorder()],
    )
    Path(out).write_bytes(pickle.dumps({"calls": [*dict.fromkeys(calls)], "left_out": left_out, "code": int(code)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
