"""What a machine does slower than it could, and says nothing about."""

from collections.abc import Iterator

from tfplm.training_configuration import RuntimeConfig
from trainers.costs import Precision
from trainers.diagnosis import Finding
from trainers.machine import Machine


def silent_downgrades(
    runtime: RuntimeConfig, machine: Machine, is_compiled: bool, has_attention: bool
) -> Iterator[Finding]:
    """Yields what a run would lose on this machine without a word.

    Args:
        runtime: the settings.
        machine: where it runs.
        is_compiled: whether XLA compiles the step.
        has_attention: whether attention is part of what is trained.
    """
    on_cpu = machine.kind == "CPU"
    if machine.has_hidden_gpu:
        yield Finding(
            "warning",
            "There is an NVIDIA driver, and TensorFlow sees no GPU: everything runs on the CPU.",
            "pip install 'tensorflow[and-cuda]', and look at CUDA_VISIBLE_DEVICES.",
        )
    if not is_compiled:
        why = "jit_compile is auto, which is off on a CPU" if runtime.jit_compile == "auto" else "as set"
        remedy = (
            "Its matrix products are mostly slower there; elementwise work is compiled all the same."
            if on_cpu
            else "Try runtime.jit_compile=true."
        )
        yield Finding("note", f"XLA does not compile the step: {why}.", remedy)
    if not machine.uses_onednn and on_cpu:
        yield Finding("warning", "oneDNN is off: matrix products are slower.", "Unset TF_ENABLE_ONEDNN_OPTS.")
    yield from _precision(runtime.precision, machine, is_compiled)
    if has_attention:
        yield Finding(
            "note",
            "Attention is not fused: the scores of all heads are held for the gradient. They are part of the "
            "activations below.",
        )


def _precision(precision: Precision, machine: Machine, is_compiled: bool) -> Iterator[Finding]:
    on_cpu, capability = machine.kind == "CPU", machine.compute_capability
    if precision == "float32" and machine.has_bfloat16:
        yield Finding(
            "note",
            f"Everything is computed in float32, and this {machine.kind} multiplies bfloat16 by itself.",
            "Try runtime.precision=mixed_bfloat16: less memory, and faster products.",
        )
    elif precision == "float32" and capability is not None and capability >= (7, 0):
        yield Finding(
            "note",
            "Everything is computed in float32, and this GPU has units for float16.",
            "Try runtime.precision=mixed_float16.",
        )
    if precision == "mixed_bfloat16" and not machine.has_bfloat16:
        yield Finding(
            "warning",
            f"This {machine.kind} cannot multiply bfloat16 by itself: it is emulated, and slower than float32.",
            "Set runtime.precision: float32" + (", or mixed_float16." if capability is not None else "."),
        )
    if precision == "mixed_bfloat16" and on_cpu and is_compiled:
        yield Finding(
            "warning",
            "XLA on a CPU widens bfloat16 to float32: no memory is saved, and products are slower than oneDNN's.",
            "Set runtime.jit_compile: false here; on an accelerator leave it as it is.",
        )
    if precision == "mixed_float16" and on_cpu:
        yield Finding(
            "warning",
            "float16 is slow on a CPU.",
            f"Set runtime.precision: {'mixed_bfloat16' if machine.has_bfloat16 else 'float32'}.",
        )
