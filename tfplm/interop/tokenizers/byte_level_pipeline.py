"""What stands around byte-level BPE in a tokenizer.json: how text is split, and what frames it."""

from pathlib import Path
from typing import Any

from tokenizers import Regex, pre_tokenizers, processors

from tfplm.errors import UserError
from tfplm.tokenizers.byte_level_bpe import ByteLevelBpeTokenizer
from tfplm.tokenizers.configuration import ByteLevelBpeConfig

# The expressions of tokenizer.json files. "digits" is the first one behind a step of its own.
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
_EXPRESSIONS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama3": _LLAMA3,
    "qwen2": _LLAMA3.replace("{1,3}", ""),
}
_PATTERNS = {expression: pattern for pattern, expression in _EXPRESSIONS.items()}
# How text is split where there is no tokenizer.json, by the model's type.
MODEL_PATTERNS = {
    "gpt2": {"pattern": "gpt2"},
    "roberta": {"pattern": "gpt2"},
    "qwen2": {"pattern": "qwen2", "normalize": True},
}
_SUPPORTED = (
    "Supported: ByteLevel alone (GPT-2, RoBERTa), Digits and ByteLevel (SmolLM), or Split by the expression of GPT-2, "
    "Llama 3 or Qwen2 and ByteLevel."
)


def read_splitter(settings: dict[str, Any], path: Path) -> dict[str, Any]:
    """The fields of ByteLevelBpeConfig that normalizer and pre_tokenizer tell. Raises UserError naming another kind."""
    kinds = [step.get("type") for step in _steps(settings, "normalizer", "normalizers", path)]
    if kinds not in ([], ["NFC"]):
        raise UserError(f"{path} has the normalizer {kinds}.", "Supported: none, or NFC.")
    normalize = {"normalize": kinds == ["NFC"]}
    kinds = [step.get("type") for step in _steps(settings, "decoder", "decoders", path)]
    if kinds not in ([], ["ByteLevel"]):
        raise UserError(f"{path} has the decoder {kinds}.", "Supported: ByteLevel.")
    steps = _steps(settings, "pre_tokenizer", "pretokenizers", path)
    kinds = [step.get("type") for step in steps]
    has_regex = bool(steps) and steps[-1].get("use_regex", True) is True
    adds_space = bool(steps) and steps[-1].get("add_prefix_space", True) is True
    if kinds == ["ByteLevel"] and has_regex:
        return {"pattern": "gpt2", "add_prefix_space": adds_space, **normalize}
    if kinds == ["Digits", "ByteLevel"] and has_regex and not adds_space and steps[0].get("individual_digits") is True:
        return {"pattern": "digits", **normalize}
    if kinds == ["Split", "ByteLevel"] and not has_regex and not adds_space:
        return {"pattern": _known_pattern(steps[0], path), **normalize}
    raise UserError(f"{path} has the pre_tokenizer {str(settings.get('pre_tokenizer'))[:300]}.", _SUPPORTED)


def build_splitter(config: ByteLevelBpeConfig) -> pre_tokenizers.PreTokenizer:
    """The pre-tokenizer that splits as a tokenizer does."""
    if config.pattern == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=config.add_prefix_space)
    if config.pattern == "digits":
        first = pre_tokenizers.Digits(individual_digits=True)
    else:
        first = pre_tokenizers.Split(Regex(_EXPRESSIONS[config.pattern]), "isolated")
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=config.pattern == "digits")
    return pre_tokenizers.Sequence([first, last])


def frame(processor: Any, ids: dict[str, int], path: Path) -> tuple[list[int], list[int]]:
    """The ids that a post_processor puts before and behind a text.

    Args:
        processor: what tokenizer.json says of it.
        ids: by name.
        path: of the file, for messages.

    Raises:
        UserError: it is of a kind that is not supported, or names a token that is not there.
    """
    kind = processor.get("type") if isinstance(processor, dict) else processor
    try:
        if kind in (None, "ByteLevel"):
            return [], []
        if kind in ("RobertaProcessing", "BertProcessing"):
            return [ids[processor["cls"][0]]], [ids[processor["sep"][0]]]
        if kind == "TemplateProcessing":
            return _template_frame(processor, ids)
        if kind == "Sequence":
            frames = [frame(part, ids, path) for part in processor["processors"]]
            prefix = [index for before, _ in reversed(frames) for index in before]
            return prefix, [index for _, behind in frames for index in behind]
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: the post_processor is damaged: {error!r}.") from error
    raise UserError(
        f"{path} has the post_processor {kind!r}.",
        "Supported: ByteLevel, RobertaProcessing, TemplateProcessing, and a Sequence of these.",
    )


def build_frame(tokenizer: ByteLevelBpeTokenizer) -> processors.PostProcessor:
    """The post-processor that frames a text, and two, as a tokenizer does."""
    prefix, separator, suffix = (
        [(tokenizer.vocabulary[index], index) for index in ids]
        for ids in (tokenizer.prefix_ids, tokenizer.pair_separator_ids, tokenizer.suffix_ids)
    )
    if len(prefix) == len(suffix) == 1 and separator == suffix * 2:
        return processors.RobertaProcessing(suffix[0], prefix[0], add_prefix_space=tokenizer.config.add_prefix_space)
    before, between, behind = ([f"{name}:0" for name, _ in edge] for edge in (prefix, separator, suffix))
    return processors.TemplateProcessing(
        single=[*before, "$A:0", *behind],
        pair=[*before, "$A:0", *between, "$B:0", *behind],
        special_tokens=[*{*prefix, *separator, *suffix}],
    )


def _template_frame(processor: dict[str, Any], ids: dict[str, int]) -> tuple[list[int], list[int]]:
    parts = [next(iter(part.items())) for part in processor["single"]]
    place = [kind for kind, _ in parts].index("Sequence")
    special = processor["special_tokens"]
    names = [special[part["id"]]["tokens"] if kind == "SpecialToken" else [] for kind, part in parts]
    found = [[ids[name] for name in part] for part in names]
    return sum(found[:place], []), sum(found[place + 1 :], [])


def _steps(settings: dict[str, Any], key: str, parts: str, path: Path) -> list[dict[str, Any]]:
    """The steps that stand under a key: none, one, or those of a sequence."""
    value = settings.get(key)
    is_sequence = isinstance(value, dict) and value.get("type") == "Sequence"
    steps = value.get(parts) if is_sequence else [value] if value else []
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise UserError(f"{path}: the {key} is damaged.", "Expected an object with a type.")
    return steps


def _known_pattern(step: dict[str, Any], path: Path) -> str:
    """The pattern of a Split step."""
    pattern = step.get("pattern")
    expression = pattern.get("Regex") if isinstance(pattern, dict) else None
    if expression not in _PATTERNS or step.get("behavior") != "Isolated" or step.get("invert") is True:
        raise UserError(f"{path} splits by {str(step)[:400]}.", _SUPPORTED)
    return _PATTERNS[expression]
