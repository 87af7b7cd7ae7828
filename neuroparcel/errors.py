"""What can go wrong for a user, each with what was expected, what came and how to mend it.

Every error inherits from :class:`NeuroparcelError` and from the builtin that a
Python programmer would expect, so ``except ValueError`` keeps working.
"""

from __future__ import annotations


class NeuroparcelError(Exception):
    """Base of every error that neuroparcel raises on purpose.

    Parameters
    ----------
    message : str
        One line: what is wrong, and where (file, site, vertex, option).
    tip : str, optional
        One line: how to mend it. The command line prints it below the message.
    """

    def __init__(self, message: str, tip: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.tip = tip

    def __str__(self) -> str:
        return f"{self.message} {self.tip}".strip()


class OptionError(NeuroparcelError, ValueError):
    """An option, or a combination of options, that cannot be honoured."""


class OutputError(NeuroparcelError, OSError):
    """The output folder cannot be used as asked."""


class LayoutError(NeuroparcelError, ValueError):
    """A subject list or a folder of recordings that does not name a cohort."""


class FileFormatError(NeuroparcelError, ValueError):
    """A file that is not what its name or its reader promises."""


class SpaceError(NeuroparcelError, ValueError):
    """Two arrays that do not live on the same vertices."""


class ConnectomeError(NeuroparcelError, ValueError):
    """Numbers that cannot become connectivity profiles."""


class AtlasError(NeuroparcelError, ValueError):
    """An unknown atlas, region or target set."""


class NotPyramidalError(NeuroparcelError, ValueError):
    """A Pyro model that is not a pyramid of plates (ADAVI, section 2.1)."""


class DataError(NeuroparcelError, ValueError):
    """An observation that does not fit the model or the posterior it is given to."""


class TrainingError(NeuroparcelError, RuntimeError):
    """Training that cannot go on."""


class CheckpointError(NeuroparcelError, ValueError):
    """A saved model that cannot be read, or does not fit the present one."""
