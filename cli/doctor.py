"""``neuroparcel doctor``: whether this machine is fit to run."""

from __future__ import annotations

import click

from .options import SectionedCommand


@click.command(cls=SectionedCommand)
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Check versions, device and memory, and run a tiny fit.

    Paste what it prints into a bug report. The exit code is 1 if a check fails.

    \b
    Example:
      neuroparcel doctor
    """
    from neuroparcel.pipeline import doctor as run

    checks = run()
    width = max(len(check.name) for check in checks)
    for check in checks:
        click.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<{width}}  {check.detail}")
    ctx.exit(0 if all(check.ok for check in checks) else 1)
