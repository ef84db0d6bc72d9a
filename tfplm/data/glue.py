"""The columns of GLUE's tasks, and of those whose tables look alike, known by their names."""

import itertools
from pathlib import Path

from tfplm.data.configuration import CleaningConfig, TableSource
from tfplm.data.tables import column_names
from tfplm.errors import UserError

# Source: Wang et al. 2019, "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language Understanding",
# and the data sets' own tables; XNLI, SNLI and AFQMC have the names of one of them.
_PAIRS = (
    ("sentence1", "sentence2"),  # RTE, MRPC, STS-B, WNLI
    ("premise", "hypothesis"),  # MNLI, SNLI, XNLI
    ("question1", "question2"),  # QQP
    ("question", "sentence"),  # QNLI
    ("text_a", "text_b"),
)
_TEXTS = ("sentence", "text")  # SST-2, CoLA
_LABELS = ("label", "gold_label", "is_duplicate", "score", "similarity")


def with_known_columns(path: Path, source: TableSource, cleaning: CleaningConfig) -> TableSource:
    """The source with the columns that one of its tables has, where it leaves them to their names (``layout: glue``).

    Raises:
        UserError: the table has none of the names, or cannot be read.
    """
    if source.layout != "glue":
        return source
    found = column_names(path, source, cleaning)
    pair = next((names for names in _PAIRS if set(names) <= set(found)), None)
    text = pair or next(((name,) for name in _TEXTS if name in found), None)
    if text is None:
        known = ", ".join(dict.fromkeys(itertools.chain(*_PAIRS, _TEXTS)))
        raise UserError(
            f"{path}: none of its columns is known: {', '.join(map(repr, found))}.",
            f"Expected texts called as GLUE calls them: {known}.",
            "Leave layout out, and set text_column and text_pair_column.",
        )
    label = source.label_column or next((name for name in _LABELS if name in found), None)
    return source.model_copy(
        update={"text_column": text[0], "text_pair_column": text[1] if pair else None, "label_column": label}
    )
