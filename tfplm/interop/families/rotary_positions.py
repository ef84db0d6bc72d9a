"""Rotary positions in a config.json: as transformers 5 has them, and as transformers 4 had them."""

from collections.abc import Mapping
from typing import Any

from tfplm.errors import UserError
from tfplm.interop.config_values import ConfigValues
from tfplm.models.configuration import GptConfig

_KINDS = ("default", "linear", "llama3")


def read_rotary(read: ConfigValues) -> dict[str, Any]:
    """Our fields rotary_base and rotary_scaling. Raises UserError naming a kind that is not supported.

    transformers 5 writes ``rope_parameters`` with everything in it, transformers 4 ``rope_theta`` and, where the
    frequencies are scaled, ``rope_scaling``.
    """
    values = read.values.get("rope_scaling") or read.values.get("rope_parameters") or {}
    if not isinstance(values, Mapping) or any(isinstance(value, Mapping) for value in values.values()):
        raise UserError(
            f"{read.origin}: the rotary positions ('rope_parameters') are not the same in all layers.",
            "Supported: one set of numbers for all layers.",
        )
    inner = ConfigValues(values, f"{read.origin}, the rotary positions")
    for source in (read, inner):
        source.require("partial_rotary_factor", (1.0, 1, None))
    base = inner.number("rope_theta", read.number("rope_theta", 10_000.0))
    key = "rope_type" if "rope_type" in values else "type"  # the first name of it
    kind = inner.meaning(key, {kind: kind for kind in _KINDS}, "default")
    return {"rotary_base": base, "rotary_scaling": _read_scaling(kind, inner, read)}


def _read_scaling(kind: str, inner: ConfigValues, read: ConfigValues) -> dict[str, Any] | None:
    if kind == "default":
        return None
    if kind == "linear":
        return {"type": kind, "factor": inner.number("factor")}
    length = read.whole("original_max_position_embeddings", read.whole("max_position_embeddings"))
    return {
        "type": kind,
        "factor": inner.number("factor"),
        "low_factor": inner.number("low_freq_factor"),
        "high_factor": inner.number("high_freq_factor"),
        "original_length": inner.whole("original_max_position_embeddings", length),
    }


def write_rotary(config: GptConfig) -> dict[str, Any]:
    """What both versions of transformers read."""
    scaling = _written_scaling(config)
    return {
        "rope_theta": config.rotary_base,
        "rope_scaling": scaling,
        "rope_parameters": {"rope_theta": config.rotary_base, **(scaling or {"rope_type": "default"})},
    }


def _written_scaling(config: GptConfig) -> dict[str, Any] | None:
    scaling = config.rotary_scaling
    if scaling is None:
        return None
    if scaling.type == "linear":
        return {"rope_type": scaling.type, "factor": scaling.factor}
    return {
        "rope_type": scaling.type,
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_factor,
        "high_freq_factor": scaling.high_factor,
        "original_max_position_embeddings": scaling.original_length,
    }
