"""`samen`: one command for operators. What it offers stands in `groups`; a command is imported when it is used."""

from __future__ import annotations

import sys

INTERRUPTED_RC = 130

try:
    import typer
    from rich.console import Console
    from rich.text import Text

    from deploy.samen.failing import in_a_sentence
    from deploy.samen.groups import Samen
except KeyboardInterrupt:
    sys.exit(INTERRUPTED_RC)

app = typer.Typer(
    cls=Samen, no_args_is_help=True, add_completion=False, help="Samenkracht: run it, look into it, mend it."
)


@app.callback()
def _samen() -> None:
    pass


def main() -> None:
    """Run a command; what a person can mend is told in a line, without a traceback."""
    try:
        with in_a_sentence():
            app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED_RC)
    except Exception as error:
        if not isinstance(error, _told()):
            raise
        Console(stderr=True, soft_wrap=True).print(Text(str(error), style="red"))
        sys.exit(1)


def _told() -> tuple[type[Exception], ...]:
    """What a person can mend; imported when something went wrong, for help alone needs no database's client."""
    from deploy.databases import MigrationError
    from deploy.embedded.process import StartFailed
    from deploy.home import NotRunning
    from deploy.supervisor import AlreadyRunning
    from shared.errors import Problem

    return AlreadyRunning, MigrationError, NotRunning, Problem, StartFailed


if __name__ == "__main__":
    main()
