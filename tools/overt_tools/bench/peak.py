"""What the core can do at best, measured: products of large matrices, and reading memory."""

import msgspec
import numpy as np

from .timing import measure

_SIDE = 1024
_READ_BYTES = 256 * 2**20
"""More than any cache of the machines here."""
_SECONDS = 1.0


class Peak(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one core reaches.

    Attributes:
        float_gmac_s: Thousand million multiply-adds a second in float32: a product of 1024 x 1024 matrices by NumPy's
            BLAS.
        int8_gmac_s: The same in 8-bit integers by ONNX Runtime's MatMulInteger; None when that is not installed.
        read_gb_s: Thousand million bytes a second read from memory, by a matrix-vector product too large for any
            cache: what a search does.
    """

    float_gmac_s: float
    int8_gmac_s: float | None
    read_gb_s: float


def measure_peak(seconds: float = _SECONDS) -> Peak:
    """Measure this core. Takes the best of many runs: it is a ceiling that is wanted.

    Args:
        seconds: For each of the three.
    """
    rng = np.random.default_rng(1)
    left, right = (rng.random((_SIDE, _SIDE), np.float32) for _ in range(2))
    out = np.empty_like(left)
    product_ms = measure(lambda: np.dot(left, right, out=out), seconds=seconds).least
    rows = np.ones((_READ_BYTES // 4 // 128, 128), np.float32)
    vector, sums = np.ones(128, np.float32), np.empty(rows.shape[0], np.float32)
    read_ms = measure(lambda: np.dot(rows, vector, out=sums), seconds=seconds).least
    integer_ms = _integer_ms(seconds)
    work = _SIDE**3 / 1e6
    return Peak(
        float_gmac_s=round(work / product_ms, 1),
        int8_gmac_s=None if integer_ms is None else round(work / integer_ms, 1),
        read_gb_s=round(_READ_BYTES / read_ms / 1e6, 2),
    )


def _integer_ms(seconds: float) -> float | None:
    """Time the product of 8-bit matrices, milliseconds."""
    try:
        import onnxruntime  # noqa: PLC0415 - the developer's extra
        from onnx import TensorProto, helper  # noqa: PLC0415 - heavy
    except ImportError:
        return None
    shape = [_SIDE, _SIDE]
    weights = np.random.default_rng(2).integers(-127, 127, shape, np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("c", TensorProto.INT32, shape)],
        [helper.make_tensor("b", TensorProto.INT8, shape, weights.tobytes(), raw=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    left = np.random.default_rng(3).integers(0, 127, shape, np.uint8)
    return measure(lambda: session.run(None, {"a": left}), seconds=seconds).least
