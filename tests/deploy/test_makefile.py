"""`make setup` on a machine where Python cannot make a whole virtual environment, and again once it can."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"
PYTHON = """#!/bin/sh
# A Python whose `venv` makes a .venv; the Python in it has pip, or (without ensurepip) has none and `venv` fails.
mkdir -p .venv/bin
echo '#!/bin/sh' > .venv/bin/python
echo 'exit {code}' >> .venv/bin/python
chmod +x .venv/bin/python
echo {says} >&2
exit {code}
"""


def setup(folder: Path, code: int) -> subprocess.CompletedProcess[str]:
    says = "ensurepip is not available" if code else "made"
    python = folder / "python"
    python.write_text(PYTHON.format(code=code, says=says))
    python.chmod(0o755)
    command = ["make", "-f", str(MAKEFILE), "setup", f"PYTHON={python}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("requirements-dev.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    return tmp_path


def test_a_half_made_environment_is_told_and_not_kept(folder: Path) -> None:
    failed = setup(folder, 1)
    assert failed.returncode
    assert "ensurepip" in failed.stderr
    assert "python3-venv" in failed.stdout
    assert not (folder / ".venv").exists()
    assert setup(folder, 0).returncode == 0


def test_an_environment_without_pip_is_made_anew(folder: Path) -> None:
    broken = folder / ".venv/bin/python"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert setup(folder, 0).returncode == 0


def test_every_target_is_told_by_help() -> None:
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE.read_text(), re.MULTILINE)) - {"help", "setup", "lock", "clean"}
    told = subprocess.run(["make", "-f", str(MAKEFILE)], capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make ([a-z]+) ", told, re.MULTILINE)) == targets
