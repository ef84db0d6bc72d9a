from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from tfplm.errors import UserError
from tfplm.interop.tokenizers.byte_level_pipeline import build_frame
from tfplm.interop.tokenizers.pair_frames import pair_separator
from tfplm.tokenizers.byte_level_bpe import BYTE_SIGNS, ByteLevelBpeTokenizer
from tfplm.tokenizers.configuration import ByteLevelBpeConfig

IDS = {"<s>": 0, "</s>": 1, "[SEP]": 2}
SEPARATED = {
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "both", "type_id": 0}},
        {"Sequence": {"id": "B", "type_id": 1}},
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
    ],
    "special_tokens": {"<s>": {"tokens": ["<s>"]}, "both": {"tokens": ["</s>", "[SEP]"]}},
}


@pytest.mark.parametrize(
    ("processor", "expected"),
    [
        (None, None),
        ({"type": "ByteLevel"}, None),
        ({"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["<s>", 0]}, [2]),
        ({"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]}, [1, 1]),
        ({"type": "TemplateProcessing", **SEPARATED}, [1, 2]),
        ({"type": "TemplateProcessing", **SEPARATED, "pair": SEPARATED["single"]}, None),
        (
            {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing", **SEPARATED}]},
            [1, 2],
        ),
    ],
)
def test_what_stands_between_two_texts_is_read(processor, expected):
    assert pair_separator(processor, IDS, Path("tokenizer.json")) == expected


@pytest.mark.parametrize(
    "processor",
    [
        {"type": "BertProcessing"},
        {"type": "RobertaProcessing", "sep": ["x", 1]},
        {"type": "TemplateProcessing", "pair": [3]},
    ],
)
def test_a_damaged_post_processor_is_named(processor):
    with pytest.raises(UserError, match="tokenizer.json: the post_processor is damaged"):
        pair_separator(processor, IDS, Path("tokenizer.json"))


@pytest.mark.parametrize(
    ("names", "options", "expected"),
    [
        (["<s>", "</s>"], {"prefix_ids": [0], "suffix_ids": [1]}, (1, 1)),  # RoBERTa, saved before pairs were known
        (["[CLS]", "[SEP]"], {"prefix_ids": [0], "suffix_ids": [1]}, (1,)),
        (["<s>", "</s>"], {"prefix_ids": [0], "suffix_ids": [1], "pair_separator_ids": [1]}, (1,)),
        (["<s>", "</s>"], {}, (1,)),
    ],
)
def test_the_package_lays_out_pairs_as_byte_level_bpe_does(names, options, expected):
    vocabulary = [*names, *BYTE_SIGNS]
    config = ByteLevelBpeConfig(
        vocabulary_size=len(vocabulary), pattern="gpt2", start_id=0, end_id=1, special_ids=[0, 1], **options
    )
    tokenizer = ByteLevelBpeTokenizer(vocabulary, [], config)
    assert tokenizer.pair_separator_ids == expected
    package = Tokenizer(models.BPE({token: index for index, token in enumerate(vocabulary)}, []))
    package.add_special_tokens(names)
    package.post_processor = build_frame(tokenizer)
    ids = tokenizer.encode_pair_rows(["a"], ["b"], 12).token_ids.numpy()[0].tolist()
    found = package.encode("a", "b").ids
    assert found == ids[: len(found)] and set(ids[len(found) :]) <= {1}
