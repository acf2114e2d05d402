"""What is imported only when it is first used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = "import sys\nfrom sendoff.lazy import postpone_import\npostpone_import('colorsys')\nimport colorsys\n"


@pytest.mark.parametrize(
    "rest",
    [
        "assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)",
        "from colorsys import rgb_to_hsv\nassert rgb_to_hsv(0, 0, 0) == (0, 0, 0)",
        "assert 'rgb_to_hsv' not in vars(colorsys)\ncolorsys.ONE_THIRD\nassert 'rgb_to_hsv' in vars(colorsys)",
        (
            "import threading\ngot = []\nthreads = [threading.Thread(target=lambda: got.append(colorsys.hsv_to_rgb)) for _ in range(9)]\n"
            "[each.start() for each in threads]\n[each.join() for each in threads]\nassert len(got) == 9 and len(set(got)) == 1"
        ),
        "try: colorsys.no_such_name\nexcept AttributeError as error: assert 'no_such_name' in str(error)\nelse: raise SystemExit(1)",
    ],
    ids=["by its module", "by its name", "not before", "in many threads", "a name it has not"],
)
def test_a_postponed_library_is_imported_when_it_is_first_used(rest: str) -> None:
    subprocess.run([sys.executable, "-c", BEGIN + rest], check=True)


def test_a_library_that_is_not_there_is_still_not_there() -> None:
    code = "from sendoff.lazy import postpone_import\npostpone_import('no_such_library')\ntry: import no_such_library\n"
    subprocess.run([sys.executable, "-c", code + "except ModuleNotFoundError: pass\nelse: raise SystemExit(1)"], check=True)


def test_a_postponed_library_can_be_asked_for_and_is_imported_before_threads_begin() -> None:
    code = "import importlib.util\nassert importlib.util.find_spec('colorsys').name == 'colorsys'\nassert 'rgb_to_hsv' not in vars(colorsys)\n"
    code += "from sendoff.lazy import import_postponed\nimport_postponed()\nassert 'rgb_to_hsv' in vars(colorsys)"
    subprocess.run([sys.executable, "-c", BEGIN + code], check=True)


def test_a_postponed_library_that_cannot_be_imported_says_so_each_time(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise ImportError('no luck')")
    code = "import sys\nfrom sendoff.lazy import postpone_import\npostpone_import('broken')\nimport broken\n"
    code += "for _ in range(2):\n  try: broken.x\n  except ImportError as error: assert str(error) == 'no luck'\n  else: raise SystemExit(1)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(tmp_path)})
