"""Progress bars on the terminal, one a step of the pipeline."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

Advance = Callable[..., None]


@contextmanager
def progress_bar(title: str, *, quiet: bool) -> Iterator[Advance]:
    """A bar that is called with (done, total) and perhaps what is being done."""
    with tqdm(
        desc=title, disable=quiet, file=sys.stderr, dynamic_ncols=True, leave=True, mininterval=0.3
    ) as bar:

        def advance(done: int, total: int, what: str = "") -> None:
            bar.total = total
            bar.set_postfix_str(what, refresh=False)
            bar.update(done - bar.n)

        yield advance


def say(text: str, *, quiet: bool) -> None:
    """One line on stderr, above any bar."""
    if not quiet:
        tqdm.write(text, file=sys.stderr)
