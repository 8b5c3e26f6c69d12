"""Networks in ONNX, run by ONNX Runtime: one session for each, however many encoders and threads ask for it."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from rnnkit.errors import DataError, MissingPackage
from rnnkit.kinds import Array
from rnnkit.system.process import allowed_threads
from rnnkit.system.why import check_ordinary, what_is, why


@attrs.frozen
class Port:
    """An input or an output of a network.

    Attributes:
        name: of it.
        shape: its sizes; None where any will do.
        type: of its numbers, as `float32`.
    """

    name: str
    shape: tuple[int | None, ...]
    type: str

    def __str__(self) -> str:
        sizes = ", ".join("any" if n is None else str(n) for n in self.shape)
        return f"{self.name} ({sizes}) {self.type}"


@attrs.frozen(eq=False)
class OnnxNetwork:
    """A network that is ready to run; threads may share it.

    Attributes:
        digest: SHA-256 of the file, in hexadecimal digits.
        inputs: that it takes.
        outputs: that it can give.
    """

    digest: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    _session: Any = attrs.field(repr=False)

    def run(self, values: npt.NDArray[Any], output: str | None = None) -> Array:
        """One output, the first if left open, for the values of its one input."""
        name = output or self.outputs[0].name
        (result,) = self._session.run([name], {self.inputs[0].name: values})
        found: Array = np.asarray(result)
        return found


_opened: Final[dict[str, OnnxNetwork]] = {}
_opening: Final = threading.Lock()
_digests: Final[dict[tuple[str, int, int], str]] = {}


def open_network(model: bytes, name: str) -> OnnxNetwork:
    """The network in an ONNX file, all of it in one.

    It runs on as many threads as NumPy may take: all cores, or what `OMP_NUM_THREADS` and the like allow.

    Args:
        model: the file.
        name: what errors call it.

    Raises:
        DataError: it is none, or one that cannot be run; or ONNX Runtime is missing.
    """
    digest = hashlib.sha256(model).hexdigest()
    with _opening:
        if digest not in _opened:
            _opened[digest] = _open(model, digest, name)
        return _opened[digest]


def read_network(file: str | os.PathLike[str]) -> OnnxNetwork:
    """The network in a file, which is read again only when it has changed.

    Raises:
        DataError: it cannot be read, or is none.
    """
    path = Path(file)
    try:
        check_ordinary(path)
        status = path.stat()
        key = os.path.abspath(path), status.st_mtime_ns, status.st_size
        known = _opened.get(_digests.get(key, ""))
        if known is not None:
            return known
        model = path.read_bytes()
    except (OSError, ValueError) as error:
        raise DataError(why(error, path, "a network in ONNX")) from error
    network = open_network(model, str(path))
    _digests[key] = network.digest
    return network


def _open(model: bytes, digest: str, name: str) -> OnnxNetwork:
    session = open_session(model, name)
    return OnnxNetwork(digest, _ports(session.get_inputs()), _ports(session.get_outputs()), session)


def open_session(model: bytes, name: str, extra: str = "photos") -> Any:
    """An `onnxruntime.InferenceSession`, of any number of inputs and outputs; arguments and errors are those above.

    Args:
        extra: that ONNX Runtime comes with.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackage(
            f'{name} is run by ONNX Runtime: pip install "rnnkit[{extra}]"'
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = allowed_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # what it warns of is for the authors of networks
    # Threads that wait in a loop would take the cores from those that prepare pictures.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    except Exception as error:  # its errors have no base class of their own
        what = (what_is(model[:4096]) or "").partition("; ")[0]
        said = f"it is {what}" if what else str(error).partition("\n")[0] or "it is empty"
        raise DataError(f"{name} is not a network in ONNX that can be run: {said}") from error


def _ports(nodes: list[Any]) -> tuple[Port, ...]:
    return tuple(
        Port(
            node.name,
            tuple(n if isinstance(n, int) else None for n in node.shape),
            _TYPES.get(node.type, node.type),
        )
        for node in nodes
    )


_TYPES: Final = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}
