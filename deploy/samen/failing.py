"""What the machine refuses (a path, a file's bytes, a number too large), told to a person in one sentence."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

FAILED_RC = 1
WHAT = {
    errno.ENOENT: "is not there, or its folder is not: check the path",
    errno.EACCES: "is not yours to read or write: name another place, or have its owner let you",
    errno.EPERM: "is not yours to change: name another place, or have its owner let you",
    errno.EROFS: "lies on a disk that takes no writing: name another place",
    errno.EISDIR: "is a folder: name a file",
    errno.ENOTDIR: "lies below a file, not a folder: check the path",
    errno.EEXIST: "is there already: name a new one",
    errno.ENOTEMPTY: "is there already, and not empty: name a new one",
    errno.ENOSPC: "can't be written, for the disk is full: make room, then run it again",
    errno.EDQUOT: "can't be written, for your share of the disk is full: make room, then run it again",
    errno.ENAMETOOLONG: "has too long a name: name a shorter one",
    errno.ELOOP: "is a link that leads round to itself: name the file itself",
    errno.EILSEQ: "is no text in UTF-8: save it as UTF-8, or name another file",
}
"""What is the matter with a path, and what to do."""


def read_text(path: Path) -> str:
    """Return a file's text; raises OSError that names the path, also for what is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, "no text in UTF-8", str(path)) from None


def sentence(error: OSError | UnicodeError | OverflowError) -> str:
    """Return what went wrong, where, and what to do about it."""
    if isinstance(error, UnicodeError):
        return f"a file is no text in UTF-8 ({error}): save it as UTF-8, or name another file"
    if isinstance(error, OverflowError):
        return f"a date or number is beyond what can be reckoned with ({error}): check the year, or the number"
    if error.filename is None:
        if error.errno is None and str(error):
            return str(error)  # raised here, as a sentence
        return f"{error.strerror or 'no answer in time'}: see `samen status`, then run it again"
    path = error.filename2 if error.filename2 is not None else error.filename
    path = path.decode(errors="replace") if isinstance(path, bytes) else path
    what = WHAT.get(error.errno or 0, f"can't be used ({error.strerror}): name another one")
    return f"{path} {what}"


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """End the process with 1 and a sentence on stderr where it would end with a traceback of what the machine refused.

    It stands round the whole command line, once. A pipe that nobody reads any more is click's affair, not told here.
    """
    try:
        yield
    except (OSError, UnicodeError, OverflowError) as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(Text(sentence(error), style="red"))
        sys.exit(FAILED_RC)
