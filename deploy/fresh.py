"""Makes files and folders that were not there: each run beside its target by itself, then into place, whole or not."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def refuse_existing(out: Path) -> None:
    """Raise FileExistsError when there is something at `out`, a dangling link too."""
    if out.exists() or out.is_symlink():
        raise FileExistsError(f"{out} is there already: name a new one")


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """Give a new folder next to `out`, of this run alone and only its owner's; it goes at the end with what is in it.

    Raises FileExistsError when `out` is there, OSError when the folder can't be made.
    """
    refuse_existing(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from None  # the name that was given, not ours
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def into_place(made: Path, out: Path) -> None:
    """Give what was made, a file or folder on the same disk, its place; raises FileExistsError when that is taken.

    A rename alone would replace a file that came in the meantime: the name is claimed by an empty one first.
    """
    try:
        if made.is_dir():
            out.mkdir(mode=0o700)
        else:
            out.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise FileExistsError(f"{out} is there already: name a new one") from None
    try:
        made.rename(out)
    except OSError:
        if made.is_dir():
            out.rmdir()
        else:
            out.unlink()
        raise


def write_new(out: Path, text: str) -> None:
    """Write a file that only its owner reads and that was not there; raises FileExistsError."""
    with beside(out) as folder:
        made = folder / "made"
        made.touch(mode=0o600)
        made.write_text(text, encoding="utf-8")
        into_place(made, out)
