"""manifest.csv: which of the files are whole (bulk), changes only (delta), or not delivered (absent)."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path

from deploy.samen.oneroster_records import BadFolder, Issue, read_records

MANIFEST = "manifest.csv"


class Mode(StrEnum):
    """How a file is delivered. Of a bulk file, what it does not name has left; of a delta, only what it says."""

    BULK = "bulk"
    DELTA = "delta"
    ABSENT = "absent"


def read_manifest(folder: Path, files: Collection[str]) -> tuple[dict[str, Mode], bool]:
    """Returns how each of `files` (by name with .csv) is delivered, and whether a manifest said so.

    Without a manifest what is there is bulk. Raises BadFolder for one that is broken or contradicts the folder: on the
    strength of this file people lose access, so nothing of it is guessed.
    """
    there = {name for name in files if (folder / name).is_file()}
    if not (folder / MANIFEST).is_file():
        return {name: Mode.BULK if name in there else Mode.ABSENT for name in files}, False
    said = _read(folder / MANIFEST, files)
    for name in files:
        at, mode = said.get(name, (f"{MANIFEST}:1", None))
        if mode is None and name in there:
            raise BadFolder(f"{at}: there is no line for {name}: add file.{name.removesuffix('.csv')} with its mode")
        if mode not in {None, Mode.ABSENT} and name not in there:
            raise BadFolder(f"{at}: it says that {name} is {mode}, but the folder lacks it: deliver it or say absent")
        if mode is Mode.ABSENT and name in there:
            raise BadFolder(f"{at}: it says that {name} is absent, but it is there: say bulk or delta, or remove it")
    return {name: said[name][1] if name in said else Mode.ABSENT for name in files}, True


def _read(path: Path, files: Collection[str]) -> dict[str, tuple[str, Mode]]:
    found: dict[str, tuple[str, Mode]] = {}
    for record in read_records(path, ("propertyName", "value"), ()):
        if isinstance(record, Issue):
            if not record.note:
                raise BadFolder(f"{record.at}: {record.code}: mend this line of the manifest; nothing was imported")
            continue
        name = record.get("propertyName").removeprefix("file.") + ".csv"
        if not record.get("propertyName").startswith("file.") or name not in files:
            continue
        if name in found:
            raise BadFolder(f"{record.at}: it speaks of {name} a second time: keep one line")
        try:
            found[name] = record.at, Mode(record.get("value").lower())
        except ValueError:
            raise BadFolder(f"{record.at}: {name} must be bulk, delta or absent: correct the value") from None
    return found
