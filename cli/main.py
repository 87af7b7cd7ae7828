"""The command ``neuroparcel``: its commands, and what becomes of errors."""

from __future__ import annotations

import errno
import os
import signal
import sys
from types import FrameType
from typing import IO, Any

import click

from neuroparcel import __version__
from neuroparcel.errors import NeuroparcelError, OutputError

from .atlas import atlas
from .compare import compare
from .connectome import connectome
from .demo import demo
from .doctor import doctor
from .fit import fit
from .infer import infer
from .plot import plot
from .report import report
from .select import select
from .simulate import simulate
from .stability import stability

_INTERRUPTED = 128 + signal.SIGINT
_TERMINATED = 128 + signal.SIGTERM
_OF_THE_MACHINE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ESTALE,
    errno.ENAMETOOLONG,
}
"""Refusals of a disk, which no code can prevent; a file that is missing may well be a bug."""


class KnownError(click.ClickException):
    """An error that the package raised on purpose: one line, a tip, exit code 2."""

    exit_code = 2

    def __init__(self, error: NeuroparcelError) -> None:
        super().__init__(error.message)
        self.tip = error.tip

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the error, and how to mend it below."""
        click.echo(f"Error: {self.message}", file=file, err=True)
        if self.tip:
            click.echo(f"Tip: {self.tip}", file=file, err=True)


class ErrorBoundary(click.Group):
    """Commands whose known errors end in a line; unknown ones keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except NeuroparcelError as error:
            raise KnownError(error) from error
        except OSError as error:
            if error.errno not in _OF_THE_MACHINE:
                raise
            raise KnownError(_refused(error)) from error
        except KeyboardInterrupt:
            click.echo("\nInterrupted. No half-written file was left behind.", err=True)
            ctx.exit(_INTERRUPTED)


def _refused(error: OSError) -> OutputError:
    """What the machine has refused, in one line; a full disk does not say for which file."""
    reason = error.strerror or os.strerror(error.errno or 0)
    where = f"{os.fsdecode(error.filename)} cannot" if error.filename else "A file cannot"
    return OutputError(
        f"{where} be read or written ({reason}).",
        "See whether you may use this place and whether its disk has room, or give another.",
    )


@click.group(cls=ErrorBoundary, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="neuroparcel")
def neuroparcel() -> None:
    """Parcellate the cortex into functional networks, with their uncertainty.

    A hierarchical Bayesian model of a population, its subjects and their sessions is
    inferred from resting-state recordings. Each vertex of a region receives a probability
    for each network: for the population, for every subject and for every session.

    \b
    Start here:
      neuroparcel demo                 a simulated cohort, from recordings to figures
      neuroparcel fit --subjects hcp_list.txt --data-dir HCP1200 --output results/
      neuroparcel COMMAND --help       options and examples of a command
    """


for _command in (
    fit,
    infer,
    select,
    stability,
    connectome,
    atlas,
    compare,
    plot,
    report,
    simulate,
    demo,
    doctor,
):
    neuroparcel.add_command(_command)


def main() -> None:
    """Run the command line; a request to terminate unwinds like an error, so files stay whole."""
    signal.signal(signal.SIGTERM, _terminate)
    neuroparcel(prog_name="neuroparcel")


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(_TERMINATED)


if __name__ == "__main__":
    main()
