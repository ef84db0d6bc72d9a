"""What stands between two texts that are read together, in a tokenizer.json."""

from pathlib import Path
from typing import Any

from tfplm.errors import UserError


def pair_separator(processor: Any, ids: dict[str, int], path: Path) -> list[int] | None:
    """The ids that a post_processor puts between two texts; None where there are none.

    Args:
        processor: what tokenizer.json says of it.
        ids: by name.
        path: of the file, for messages.

    Raises:
        UserError: it is damaged, or names a token that is not there.
    """
    try:
        return [ids[name] for name in _names(processor)] or None
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: the post_processor is damaged: {error!r}.") from error


def _names(processor: Any) -> list[str]:
    kind = processor.get("type") if isinstance(processor, dict) else processor
    if kind in ("BertProcessing", "RobertaProcessing"):
        return [processor["sep"][0]] * (2 if kind == "RobertaProcessing" else 1)
    if kind == "TemplateProcessing":
        parts = [next(iter(part.items())) for part in processor.get("pair", [])]
        first, *others = [place for place, (part, _) in enumerate(parts) if part == "Sequence"] or [0]
        special = processor["special_tokens"]
        between = parts[first + 1 : others[0]] if others else []
        return [name for _, part in between for name in special[part["id"]]["tokens"]]
    if kind == "Sequence":
        return next((names for names in map(_names, processor["processors"]) if names), [])
    return []
