"""The data arrays of a GIFTI file, one at a time.

nibabel decodes a whole file to tell its length. Here a first pass reads only the headers of
the arrays and a second one decodes them one by one, so that memory holds the rows wanted and
a single array, however many frames there are.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from neuroparcel.brain.atlas import BACKGROUND_KEY, Label
from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats.content import MAX_INFLATION, check_holds, check_is_content, one_line
from neuroparcel.io.formats.spaces import MAX_VERTICES

_TYPES = {
    "NIFTI_TYPE_UINT8": "u1",
    "NIFTI_TYPE_INT8": "i1",
    "NIFTI_TYPE_INT16": "i2",
    "NIFTI_TYPE_UINT16": "u2",
    "NIFTI_TYPE_INT32": "i4",
    "NIFTI_TYPE_UINT32": "u4",
    "NIFTI_TYPE_INT64": "i8",
    "NIFTI_TYPE_UINT64": "u8",
    "NIFTI_TYPE_FLOAT32": "f4",
    "NIFTI_TYPE_FLOAT64": "f8",
}
_ORDERS = {
    "LittleEndian": "<",
    "GIFTI_ENDIAN_LITTLE": "<",
    "BigEndian": ">",
    "GIFTI_ENDIAN_BIG": ">",
}
_DAMAGE = (
    ElementTree.ParseError,
    LookupError,
    ValueError,
    OverflowError,
    OSError,
    zlib.error,
    binascii.Error,
)
_INTENT_PREFIX = "NIFTI_INTENT_"
_EXTERNAL = "ExternalFileBinary"


@dataclass(frozen=True)
class ArrayHeader:
    """What a data array says of itself.

    Parameters
    ----------
    intent : str
        What it holds, without NIfTI's prefix: ``"TIME_SERIES"``, ``"LABEL"``, ``"SHAPE"``.
    shape : tuple of int
        Its dimensions, vertices first.
    dtype : numpy.dtype
        Of its numbers, byte order included.
    encoding : str
        How they are written.
    is_row_major : bool
        Whether the last dimension varies fastest.
    external : tuple of str and int, or None
        Name and offset of the file beside it that holds the numbers.
    meta : dict of str to str
        Its metadata.
    """

    intent: str
    shape: tuple[int, ...]
    dtype: np.dtype
    encoding: str
    is_row_major: bool
    external: tuple[str, int] | None
    meta: dict[str, str]

    @property
    def n_bytes(self) -> int:
        """Bytes that its numbers take."""
        return int(np.prod(np.array(self.shape, dtype=object))) * self.dtype.itemsize


@dataclass(frozen=True)
class GiftiHeader:
    """Everything in a GIFTI file but the numbers."""

    meta: dict[str, str]
    labels: tuple[Label, ...]
    arrays: tuple[ArrayHeader, ...]


def read_gifti_header(path: Path) -> GiftiHeader:
    """Read the headers of all arrays of a GIFTI file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    GiftiHeader

    Raises
    ------
    FileFormatError
        If the file is missing, empty or no GIFTI file.
    """
    check_is_content(path)
    meta: dict[str, str] = {}
    labels: tuple[Label, ...] = ()
    arrays: list[ArrayHeader] = []
    with _translated(path):
        for element in _elements(path):
            if element.tag == "DataArray":
                arrays.append(_parse_array(element))
            elif element.tag == "LabelTable":
                labels = _parse_labels(element)
            else:
                meta = _parse_meta(element)
        _check_promises(path, arrays)
    return GiftiHeader(meta, labels, tuple(arrays))


def external_files(path: Path) -> tuple[Path, ...]:
    """The files beside a GIFTI file that hold its numbers; most have none.

    Only the beginning of a file that holds its numbers itself is read.

    Parameters
    ----------
    path : pathlib.Path
        A GIFTI file. For one that is missing or damaged there are none: reading it tells why.
    """
    try:
        if _first_encoding(path) != _EXTERNAL:
            return ()
        arrays = [_parse_array(item) for item in _elements(path) if item.tag == "DataArray"]
        names = dict.fromkeys(array.external[0] for array in arrays if array.external)
        return tuple(path.parent / name for name in names if _lies_beside(path, name))
    except _DAMAGE:
        return ()


def read_gifti_arrays(path: Path) -> Iterator[np.ndarray]:
    """Decode the arrays of a GIFTI file, one at a time.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Yields
    ------
    (vertex,) or (vertex, ...) array
        Of the type stored.

    Raises
    ------
    FileFormatError
        If the numbers are not those that an array's header promises.
    """
    with _translated(path):
        for element in _elements(path):
            if element.tag == "DataArray":
                yield _decode(path, _parse_array(element), element.findtext("Data") or "")


class _translated:
    """Turns what a damaged file makes the parsers raise into an error that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _DAMAGE) and not isinstance(error, FileFormatError):
            reason = f"its XML lacks {error}" if isinstance(error, KeyError) else one_line(error)
            raise FileFormatError(
                f"{self.path} is not a readable GIFTI file ({reason}).",
                "It may be truncated, or of another format.",
            ) from error


def _elements(path: Path) -> Iterator[ElementTree.Element]:
    """The file's metadata, label table and arrays, each dropped once it has been looked at."""
    depth = 0
    with path.open("rb") as stream:
        for event, element in ElementTree.iterparse(stream, events=("start", "end")):
            if event == "start":
                if depth == 0 and element.tag != "GIFTI":
                    raise ValueError(f"its XML is of {element.tag}")
                depth += 1
                continue
            depth -= 1
            if depth == 1:
                if element.tag in ("DataArray", "LabelTable", "MetaData"):
                    yield element
                element.clear()


def _first_encoding(path: Path) -> str | None:
    """How the numbers of the first array are written; :func:`_check_promises` has all agree."""
    with path.open("rb") as stream:
        for _, element in ElementTree.iterparse(stream, events=("start",)):
            if element.tag == "DataArray":
                return element.get("Encoding")
    return None


def _parse_array(element: ElementTree.Element) -> ArrayHeader:
    attributes = element.attrib
    n_dimensions = int(attributes["Dimensionality"])
    if not 1 <= n_dimensions <= 6:
        raise ValueError(f"an array of {n_dimensions} dimensions")
    shape = tuple(int(attributes[f"Dim{number}"]) for number in range(n_dimensions))
    if min(shape) < 0:
        raise ValueError(f"an array of shape {shape}")
    name = attributes.get("ExternalFileName", "")
    meta = element.find("MetaData")
    return ArrayHeader(
        attributes["Intent"].removeprefix(_INTENT_PREFIX),
        shape,
        np.dtype(_ORDERS[attributes.get("Endian", "LittleEndian")] + _type(attributes["DataType"])),
        attributes["Encoding"],
        attributes.get("ArrayIndexingOrder", "RowMajorOrder") == "RowMajorOrder",
        (name, int(attributes.get("ExternalFileOffset") or 0)) if name else None,
        _parse_meta(meta) if meta is not None else {},
    )


def _type(name: str) -> str:
    if name not in _TYPES:
        raise ValueError(f"numbers of the type {name}")
    return _TYPES[name]


def _parse_meta(element: ElementTree.Element) -> dict[str, str]:
    return {
        (pair.findtext("Name") or "").strip(): (pair.findtext("Value") or "").strip()
        for pair in element.iterfind("MD")
    }


def _parse_labels(element: ElementTree.Element) -> tuple[Label, ...]:
    """The label table; old files of Caret call the key an index."""
    labels = []
    for label in element.iterfind("Label"):
        key = int(label.get("Key") or label.attrib["Index"])
        rgba = [float(label.get(colour) or 1) for colour in ("Red", "Green", "Blue", "Alpha")]
        labels.append(Label.of(key, (label.text or "").strip(), rgba))
    return tuple(label for label in labels if label.key != BACKGROUND_KEY)


def _check_promises(path: Path, arrays: Sequence[ArrayHeader]) -> None:
    """Refuse arrays that this file cannot hold, before anything is made to their size."""
    encodings = {array.encoding for array in arrays}
    if _EXTERNAL in encodings and len(encodings) > 1:
        raise ValueError("some of its arrays lie in a file beside it, and some do not")
    for encoding in encodings - {_EXTERNAL}:
        n_bytes = sum(array.n_bytes for array in arrays if array.encoding == encoding)
        is_gzip = encoding == "GZipBase64Binary"
        # A number in text takes two characters at least, and eight bytes at most in memory.
        n_bytes = n_bytes // 4 if encoding == "ASCII" else n_bytes
        check_holds(path, n_bytes, compressed=is_gzip)
    if any(array.shape[0] > MAX_VERTICES for array in arrays):
        raise ValueError(f"an array of shape {max(array.shape for array in arrays)}")


def _decode(path: Path, header: ArrayHeader, text: str) -> np.ndarray:
    match header.encoding:
        case "ASCII":
            flat = np.array(text.split(), dtype=header.dtype)
        case "Base64Binary":
            flat = _numbers(base64.b64decode(text), header)
        case "GZipBase64Binary":
            flat = _numbers(_inflate(base64.b64decode(text), header.n_bytes), header)
        case "ExternalFileBinary":
            flat = _numbers(_read_external(path, header), header)
        case _:
            raise ValueError(f"the encoding {header.encoding}")
    if flat.size * header.dtype.itemsize != header.n_bytes:
        raise ValueError(f"an array of {flat.size} numbers, where its shape is {header.shape}")
    return flat.reshape(header.shape, order="C" if header.is_row_major else "F")


def _numbers(content: bytes, header: ArrayHeader) -> np.ndarray:
    if len(content) != header.n_bytes:
        raise ValueError(
            f"an array of {len(content)} bytes, where its header promises {header.n_bytes}"
        )
    return np.frombuffer(content, dtype=header.dtype)


def _inflate(content: bytes, n_bytes: int) -> bytes:
    """Decompress, and never more than the header promises."""
    if n_bytes > MAX_INFLATION * len(content):
        raise ValueError(
            f"an array of {len(content)} bytes compressed, where its header promises {n_bytes}"
        )
    return zlib.decompressobj().decompress(content, max(n_bytes, 1))


def _lies_beside(path: Path, name: str) -> bool:
    return Path(name).name == name and not (path.parent / name).is_symlink()


def _read_external(path: Path, header: ArrayHeader) -> bytes:
    """The bytes in the file beside; a name that leads elsewhere is not followed."""
    if header.external is None:
        raise ValueError("an array in an external file without a name")
    name, offset = header.external
    beside = path.parent / name
    if not _lies_beside(path, name):
        raise FileFormatError(
            f"{path} keeps its numbers in {name!r}, which is not a file beside it.",
            "Write it again in one file: wb_command -gifti-convert GZIP_BASE64_BINARY IN OUT.",
        )
    check_is_content(beside)
    if offset < 0 or offset + header.n_bytes > beside.stat().st_size:
        raise FileFormatError(
            f"{beside} is truncated: {path.name} expects {header.n_bytes} bytes from {offset} on.",
            "Copy or download it again.",
        )
    with beside.open("rb") as stream:
        stream.seek(offset)
        return stream.read(header.n_bytes)
