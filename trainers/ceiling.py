"""How fast this machine multiplies matrices, and how fast known accelerators could."""

import functools
import time
from collections.abc import Callable

import tensorflow as tf

_SIDE = {"CPU": 2048, "GPU": 8192, "TPU": 8192}  # of the large square product
_ELEMENTS = {"CPU": 2**24, "GPU": 2**28, "TPU": 2**28}  # of a tensor that no cache holds
_REPEATS = 3
_WARM_UP = 2

# Dense peaks by their makers, operations a second: (float32, bfloat16, float16). float32 is TensorFloat-32 where the
# device has it, since TensorFlow multiplies float32 so by default. None: the device has no such unit.
# Sources: NVIDIA's data sheets of the A100 (2021), H100 and H200 (2024), L4 (2023), T4 (2019) and V100 (2020), without
# sparsity; "TPU v4", "TPU v5e", "TPU v5p" and "TPU v6e" in Google Cloud's documentation, a chip.
_PEAKS = {
    "a100": (156e12, 312e12, 312e12),
    "h100 pcie": (378e12, 756e12, 756e12),
    "h100 nvl": (417.5e12, 835e12, 835e12),
    "h100": (494.7e12, 989.4e12, 989.4e12),
    "h200 nvl": (418e12, 836e12, 836e12),
    "h200": (494.7e12, 989.4e12, 989.4e12),
    "l4": (60e12, 121e12, 121e12),
    "t4": (8.1e12, None, 65e12),
    "v100-pcie": (14e12, None, 112e12),
    "v100": (15.7e12, None, 125e12),
    "tpu v4": (None, 275e12, None),
    "tpu v5e": (None, 197e12, None),
    "tpu v5 lite": (None, 197e12, None),
    "tpu v5p": (None, 459e12, None),
    "tpu v6e": (None, 918e12, None),
    "tpu v6 lite": (None, 918e12, None),
}
_COLUMNS = ("float32", "mixed_bfloat16", "mixed_float16")
_COMPUTE_DTYPES = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}


@functools.cache
def matmul_ceiling(precision: str, seconds: float = 0.3) -> float:
    """Measures a large square matrix product on the fastest device of this process; the same value at every call.

    Args:
        precision: as in RuntimeConfig; the product is of its compute dtype.
        seconds: that the measurement takes, about.

    Returns:
        Floating-point operations a second.
    """
    side = _SIDE[_device().partition(":")[0]]
    return 2.0 * side**3 / product_seconds(side, side, side, precision, seconds)


def product_seconds(
    rows: int,
    inner: int,
    columns: int,
    precision: str,
    seconds: float,
    count: int = 1,
    transpose_a: bool = False,
    transpose_b: bool = False,
    jit_compile: bool = False,
) -> float:
    """Measures the time of (rows, inner) · (inner, columns), the best of some repeats.

    Args:
        rows: of the result.
        inner: what is summed over.
        columns: of the result.
        precision: as in RuntimeConfig; the product is of its compute dtype.
        seconds: that the measurement takes, about; a slow product is done once all the same.
        count: products that are done at once, as one batched product.
        transpose_a: whether the first matrix lies transposed in memory, (inner, rows).
        transpose_b: whether the second one does, (columns, inner).
        jit_compile: whether XLA compiles the product.

    Returns:
        Seconds of all ``count`` products.
    """
    batch = (count,) if count > 1 else ()
    dtype = _COMPUTE_DTYPES[precision]
    with tf.device(_device()):
        a = tf.ones((*batch, inner, rows) if transpose_a else (*batch, rows, inner), dtype)
        b = tf.ones((*batch, columns, inner) if transpose_b else (*batch, inner, columns), dtype)

        multiply = functools.partial(tf.matmul, transpose_a=transpose_a, transpose_b=transpose_b)
        if jit_compile:
            multiply = tf.function(multiply, jit_compile=True)
        return _seconds_of(lambda: multiply(a, b), seconds)


@functools.cache
def elementwise_seconds_per_byte(precision: str, seconds: float = 0.2) -> float:
    """Measures an elementwise operation on a large tensor of the compute dtype: its time for every byte of it."""
    with tf.device(_device()):
        tensor = tf.ones((_ELEMENTS[_device().partition(":")[0]],), _COMPUTE_DTYPES[precision])
        return _seconds_of(lambda: tensor + tensor, seconds) / (len(tensor) * tensor.dtype.size)


def _seconds_of(operation: Callable[[], tf.Tensor], seconds: float) -> float:
    """The time of an operation, the best of some repeats that take ``seconds`` together, about."""

    def run(times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            result = operation()
        tf.reshape(result, (-1,))[0].numpy()  # waits for the device
        return (time.perf_counter() - began) / times

    once = min(run(1) for _ in range(_WARM_UP))
    times = max(1, round(seconds / _REPEATS / once))
    return min(once, *(run(times) for _ in range(_REPEATS))) if times > 1 else once


def peak_flops(device_name: str, precision: str) -> float | None:
    """The dense peak of a known accelerator in operations a second; None for an unknown one, or without such a unit.

    Args:
        device_name: as the driver gives it, such as "NVIDIA A100-SXM4-80GB" or "TPU v5e".
        precision: as in RuntimeConfig.
    """
    words = device_name.lower().replace("tesla ", "").replace("nvidia ", "")
    known = [name for name in _PEAKS if _names(words, name)]
    return _PEAKS[max(known, key=len)][_COLUMNS.index(precision)] if known else None


def _names(device: str, known: str) -> bool:
    """Whether a device is of a known kind: all words of it begin a word of the device ("l4" does not name an L40)."""
    words = device.replace("-", " ").split()
    return all(any(word == part for word in words) for part in known.replace("-", " ").split())


def device_name() -> str | None:
    """The model of the first accelerator; None without one."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    tpus = tf.config.list_logical_devices("TPU")
    return "TPU" if tpus else None


def _device() -> str:
    for kind in ("TPU", "GPU"):
        if tf.config.list_logical_devices(kind):
            return f"{kind}:0"
    return "CPU:0"
