"""Names of array axes and the aliases that go with them.

Every public array says its shape in these words, always in this order:
``(draw, subject, session, vertex, network, feature)``. Before reduction a
feature is a *target* (a region of the brain that a vertex is correlated with);
after it, a *component*. ``frame`` is a time point, ``row`` a grayordinate of a
file.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating]
IntArray: TypeAlias = npt.NDArray[np.integer]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
