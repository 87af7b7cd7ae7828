"""Every kind of file that recordings come in, behind one function."""

from neuroparcel.io.formats.matrix import DataMatrix
from neuroparcel.io.formats.opening import ENDINGS, open_matrix, split_variable

__all__ = ["ENDINGS", "DataMatrix", "open_matrix", "split_variable"]
