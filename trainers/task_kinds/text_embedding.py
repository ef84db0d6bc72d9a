"""A vector for a text, learned from partners or from scores of pairs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfplm import feature_names as names
from tfplm.answering.answer_names import EMBEDDING, TEXT
from tfplm.answering.answerer import Answerer
from tfplm.data.embedding_configuration import (
    EmbeddingDataConfig,
    EmbeddingSource,
    EmbeddingTableSource,
    has_partners,
    has_scores,
)
from tfplm.data.embedding_examples import held_out_texts, load_embedding_data
from tfplm.data.embedding_sources import EmbeddingExample, embedding_source_paths, read_embedding_examples
from tfplm.data.example_batches import ExampleRows, row_lengths
from tfplm.data.example_list import ExampleList
from tfplm.errors import UserError
from tfplm.models.build import Encoder
from tfplm.tasks.configuration import TextEmbeddingConfig
from tfplm.tasks.in_batch_contrast import NOT_THERE
from tfplm.tasks.text_embedding import TextEmbedder
from trainers.candidates import table
from trainers.metrics.embedding import (
    cosine_pairs,
    find_partners,
    retrieval_figures,
    retrieval_intervals,
    similarity_figures,
    similarity_intervals,
)
from trainers.metrics.errors import retrieval_errors
from trainers.task_kinds.task_kind import TaskData, TaskKind, encode_rows
from trainers.task_kinds.text_classification import dropped_lines

# Outcomes of pairs: the place of the partner among all, from 1 (0: it was not looked for), the number of the example
# whose partner is nearest, among how many candidates, and the cosine.
_RANK, _NEAREST, _CANDIDATES, _COSINE = "rank", "nearest", "candidates", "cosine"
_RETRIEVAL = {"recall_at_1": "recall@1", "recall_at_5": "recall@5", "recall_at_10": "recall@10", "mrr": "MRR"}
_SIMILARITY = {"spearman": "Spearman's correlation"}
_KEPT = ("format", "text_column", "text_pair_column", "negative_column", "score_column")

Pairs = ExampleList[EmbeddingExample]


class EmbeddingKind(TaskKind):
    """Embeddings, judged by whether partners are found among all and whether cosines rank pairs as people do."""

    task_type = "text_embedding"
    data: EmbeddingDataConfig
    task: TextEmbeddingConfig

    @property
    def figure_names(self) -> dict[str, str]:
        """Those of scores come first where scores are learned, or are all there is to judge by."""
        judged = [source for source in (self.data.validation, self.data.test) if source is not None]
        by_scores = self.data.partner_score is None and all(
            has_scores(source) for source in judged or [self.data.train]
        )
        leading = by_scores or self.task.objective == "similarity"
        return _SIMILARITY | _RETRIEVAL if leading else _RETRIEVAL | _SIMILARITY

    def load(self, seed: int) -> TaskData:
        data = load_embedding_data(self.data, seed, needs_score=self.task.objective == "similarity")
        return TaskData(data.train, data.validation, data.test, [], data.figures)

    def held_out(self, seed: int) -> set[str]:
        return held_out_texts(self.data, seed)

    def paths(self) -> list[Path]:
        return [path for source in self.data.sources for path in embedding_source_paths(source)]

    def training_texts(self, data: TaskData) -> Iterable[str]:
        return [text for example in data.train for text in example.texts]

    def inputs(self, data: TaskData) -> tuple[str, ...]:
        return (TEXT,)

    def answer_inputs(self, examples: Pairs) -> dict[str, list]:
        """All texts, then all partners; a text alone is its own."""
        return {TEXT: examples.texts + [_partner(example) for example in examples]}

    def build_task(self, encoder: Encoder, data: TaskData) -> TextEmbedder:
        rates = [getattr(encoder.config, name, 0.0) for name in ("dropout", "attention_dropout")]
        if not has_partners(self.data.train) and not any(rates):
            raise UserError(
                "The training texts have no partners, and the model has no dropout.",
                "Expected one of both: a text alone is its own partner, told apart by other dropout.",
                "Set finetune.data.train.text_pair_column, or dropout of the model.",
            )
        return TextEmbedder(encoder, self.task)

    def rows(self, examples: Pairs, answerer: Answerer, is_training: bool) -> ExampleRows:
        """Rows (examples, texts, sequence): a text, its partner and, where there are some in training, a negative."""
        columns = [examples.texts, [_partner(example) for example in examples]]
        has_negatives = is_training and any(example.negative is not None for example in examples)
        if has_negatives:
            columns.append([example.negative or "" for example in examples])
        encoded = [encode_rows(answerer, {TEXT: column})[names.TOKEN_IDS] for column in columns]
        token_ids = np.stack(encoded, axis=1)
        numbers = _numbers_of_equal_rows(token_ids)
        if has_negatives:
            numbers[[example.negative is None for example in examples], 2] = NOT_THERE
        targets = {names.EMBEDDINGS: numbers, names.SIMILARITY: self._similarities(examples)}
        weights = {
            names.EMBEDDINGS: np.array([example.is_partner for example in examples], np.float32),
            names.SIMILARITY: np.array([example.score is not None for example in examples], np.float32),
        }
        lengths = np.max([row_lengths(rows, answerer.tokenizer.pad_id) for rows in encoded], axis=0)
        return ExampleRows({names.TOKEN_IDS: token_ids}, targets, weights, lengths)

    def _similarities(self, examples: Pairs) -> np.ndarray:
        """The scores from 0 to 1, float32 (examples,); 0 where there is none."""
        low, high = self.data.score_range or (0.0, 1.0)
        scores = [low if example.score is None else example.score for example in examples]
        return ((np.array(scores) - low) / (high - low)).astype(np.float32)

    def outcomes(self, answers: Mapping[str, np.ndarray], examples: Pairs) -> dict[str, np.ndarray]:
        first, second = np.split(answers[EMBEDDING], 2)
        rows = _sought(examples)
        ranks, nearest = np.zeros((2, len(examples)), np.int64)
        ranks[rows], found = find_partners(first[rows], second[rows])
        nearest[rows] = rows[found]
        candidates = np.full(len(examples), len(rows), np.int64)
        return {_RANK: ranks, _NEAREST: nearest, _CANDIDATES: candidates, _COSINE: cosine_pairs(first, second)}

    def figures(self, answers: Mapping[str, np.ndarray], examples: Pairs, class_names: Sequence[str]) -> dict:
        """Of retrieval over pairs whose texts stand there once, of scores over those that have one; None of none."""
        is_sought, scores, is_scored = answers[_RANK] > 0, *_scores(examples)
        num_candidates = int(answers[_CANDIDATES].max(initial=0))
        found = {"examples": 0, "candidates": num_candidates, **dict.fromkeys(_RETRIEVAL)}
        if is_sought.any():
            found = retrieval_figures(answers[_RANK][is_sought], num_candidates)
        similarity = similarity_figures(answers[_COSINE][is_scored], scores[is_scored])
        counts = {"examples": len(examples), "sought": int(is_sought.sum()), "scored": int(is_scored.sum())}
        return found | similarity | counts

    def intervals(self, answers: Mapping[str, np.ndarray], examples: Pairs, class_names: Sequence[str]) -> dict:
        is_sought, scores, is_scored = answers[_RANK] > 0, *_scores(examples)
        num_candidates = int(answers[_CANDIDATES].max(initial=0))
        found = retrieval_intervals(answers[_RANK][is_sought], num_candidates) if is_sought.any() else {}
        return found | similarity_intervals(answers[_COSINE][is_scored], scores[is_scored])

    def errors(self, answers: Mapping[str, np.ndarray], examples: Pairs, class_names: Sequence[str]) -> list[dict]:
        partners = [_partner(example) for example in examples]
        origins = [example.origin for example in examples]
        return retrieval_errors(examples.texts, origins, partners, answers[_RANK], answers[_NEAREST])

    @classmethod
    def default_data(cls, path: Path) -> dict[str, Any]:
        return {"train": {"type": "table", "paths": [str(path)], "text_pair_column": "text_pair"}}

    def evaluation_source(self, path: Path, columns: Mapping[str, str]) -> EmbeddingTableSource:
        """As in training; the column of labels, where one is named, holds the scores."""
        kept = {key: getattr(self.data.train, key, None) for key in _KEPT}
        named = {"text_pair_column": "text_pair"} | {key: value for key, value in kept.items() if value is not None}
        named |= {("score_column" if key == "label_column" else key): column for key, column in columns.items()}
        named |= {"negative_column": None, "format": None}
        return EmbeddingTableSource(paths=[str(path)], **named)

    def read_examples(self, source: EmbeddingSource, class_names: Sequence[str], dropped: Counter[str]) -> Pairs:
        return ExampleList(read_embedding_examples(source, self.data, dropped))

    def data_lines(self, figures: dict) -> list[str]:
        counts = ("examples", "groups", "partners", "scored", "with_negative", "characters")
        rows = [[name, *(f"{figures[name][key]:,}" for key in counts)] for name in ("train", "validation", "test")]
        return [*table(["split", *(key.replace("_", " ") for key in counts)], rows), *dropped_lines(figures["dropped"])]

    def detail_lines(self, figures: dict) -> list[str]:
        lines = []
        if figures["sought"]:
            lines.append(f"{figures['sought']:,} partners were sought among {figures['candidates']:,}.")
        if figures["scored"]:
            lines.append(f"{figures['scored']:,} pairs have scores.")
        return [" ".join(lines)] if lines else []


def _partner(example: EmbeddingExample) -> str:
    return example.text if example.partner is None else example.partner


def _sought(examples: Pairs) -> np.ndarray:
    """Numbers of the pairs whose partner is looked for among all: of equal texts, or equal partners, the first."""
    seen: tuple[set[str], set[str]] = (set(), set())
    rows = []
    for row, example in enumerate(examples):
        if example.partner is None or not example.is_partner or example.text in seen[0] or example.partner in seen[1]:
            continue
        seen[0].add(example.text)
        seen[1].add(example.partner)
        rows.append(row)
    return np.array(rows, np.int64)


def _scores(examples: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """The scores, float64 (examples,), NaN where there is none, and whether there is one."""
    scores = np.array([np.nan if example.score is None else example.score for example in examples], np.float64)
    return scores, ~np.isnan(scores)


def _numbers_of_equal_rows(token_ids: np.ndarray) -> np.ndarray:
    """Numbers int32 (examples, texts) of rows (examples, texts, sequence): equal rows have equal numbers."""
    rows = token_ids.reshape(-1, token_ids.shape[-1])
    _, numbers = np.unique(rows, axis=0, return_inverse=True)
    return numbers.reshape(token_ids.shape[:2]).astype(np.int32)
