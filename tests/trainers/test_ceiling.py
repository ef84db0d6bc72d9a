import pytest

from trainers.ceiling import elementwise_seconds_per_byte, matmul_ceiling, peak_flops, product_seconds

TERA = 1e12


@pytest.mark.parametrize(
    ("device", "precision", "peak"),
    [
        ("NVIDIA A100-SXM4-80GB", "mixed_bfloat16", 312 * TERA),
        ("NVIDIA A100-SXM4-80GB", "float32", 156 * TERA),
        ("NVIDIA H100 80GB HBM3", "mixed_bfloat16", 989.4 * TERA),
        ("NVIDIA H100 PCIe", "mixed_bfloat16", 756 * TERA),
        ("NVIDIA H200", "mixed_float16", 989.4 * TERA),
        ("NVIDIA L4", "mixed_bfloat16", 121 * TERA),
        ("Tesla T4", "mixed_float16", 65 * TERA),
        ("Tesla T4", "mixed_bfloat16", None),
        ("Tesla V100-SXM2-16GB", "mixed_float16", 125 * TERA),
        ("Tesla V100-PCIE-16GB", "mixed_float16", 112 * TERA),
        ("TPU v5e", "mixed_bfloat16", 197 * TERA),
        ("TPU v6 lite", "mixed_bfloat16", 918 * TERA),
        ("NVIDIA L40S", "mixed_bfloat16", None),
        ("AMD EPYC", "float32", None),
    ],
)
def test_peak_is_that_of_the_accelerator_and_the_precision(device, precision, peak):
    assert peak_flops(device, precision) == peak


def test_ceiling_is_measured_once_and_that_of_a_cpu_or_more():
    ceiling = matmul_ceiling("float32")
    assert 1e9 < ceiling < 1e16
    assert matmul_ceiling("float32") == ceiling


@pytest.mark.parametrize("transposed", [{}, {"transpose_a": True}, {"transpose_b": True}, {"count": 4}])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_larger_product_takes_longer(transposed, jit_compile):
    small, large = (
        product_seconds(256, 256, side, "float32", 0.02, **transposed, jit_compile=jit_compile) for side in (32, 4096)
    )
    assert large > 2 * small


def test_elementwise_operation_is_slower_than_the_fastest_memory():
    assert 1e-13 < elementwise_seconds_per_byte("float32") < 1e-8
