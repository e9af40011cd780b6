"""The import contracts of pyproject.toml hold, and each can fail."""

import subprocess
import sysconfig
import tomllib
from pathlib import Path

from deploy.environment import ROOT

LINT = Path(sysconfig.get_path("scripts")) / "lint-imports"


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT), "--no-cache"], cwd=folder, capture_output=True, text=True, check=False, timeout=100
    )


def test_the_rooms_keep_to_their_doors() -> None:
    found = _lint(ROOT)
    assert found.returncode == 0, found.stdout


def _house(root: Path) -> Path:
    """Return a house of empty rooms under the real contracts."""
    contracts = (ROOT / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(contracts[contracts.index("[tool.importlinter]") :])
    rooms = ["network", "goals", "notifications", "gate", "audit"]
    for room in rooms:
        folder = root / "services" / room
        folder.mkdir(parents=True)
        for name in ("__init__", "__main__", "commands", "reactions", "store", "model"):
            (folder / f"{name}.py").touch()
    for name in ("spans", "consent_state"):
        (root / "services" / "network" / f"{name}.py").touch()
    for name in ("judge", "judged", "facts", "ceilings", "weighing"):
        (root / "services" / "audit" / f"{name}.py").touch()
    for package in ("services", "shared", "deploy"):
        (root / package).mkdir(exist_ok=True)
        (root / package / "__init__.py").touch()
    for name in ("access", "access_projection", "unit"):
        (root / "shared" / f"{name}.py").touch()
    return root


def test_every_forbidden_import_is_found(tmp_path: Path) -> None:
    house = _house(tmp_path)
    assert _lint(house).returncode == 0, "control: an empty house is in order"
    sins = {
        "services/goals/commands.py": "import services.network.model",
        "shared/__init__.py": "import services.goals.model",
        "services/audit/store.py": "import deploy",
        "deploy/__init__.py": "import services.network.commands",
        "services/network/model.py": "import services.network.store",
        "services/goals/model.py": "import asyncpg",
        "services/network/spans.py": "import asyncpg",
        "services/audit/weighing.py": "import shared.access",
    }
    names = [
        c["name"] for c in tomllib.loads((house / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    ]
    broken = set()
    for path, line in sins.items():
        (house / path).write_text(line)
        found = _lint(house)
        assert found.returncode == 1, f"{path} may say `{line}`:\n{found.stdout}{found.stderr}"
        broken |= {name for name in names if f"{name} BROKEN" in found.stdout}
        (house / path).write_text("")
    assert broken == set(names)
