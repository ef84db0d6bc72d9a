"""Judging a fine-tuned run on a labelled file."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tfplm.config import read_yaml, validate
from tfplm.data.classification import encode_texts
from tfplm.data.configuration import LabelledDataConfig, Source
from tfplm.data.labelled import load_examples
from tfplm.errors import UserError
from tfplm.run_directory import RunDirectory, write_text
from tfplm.tasks.saving import load_task
from tfplm.tasks.text_classification import TextClassifier
from tfplm.tokenizers.loading import load_tokenizer
from tfplm.tokenizers.tokenizer import Tokenizer
from trainers.finetune import evaluate_classifier


@dataclass(frozen=True)
class ClassifierRun:
    """A fine-tuned run, loaded for use."""

    classifier: TextClassifier
    tokenizer: Tokenizer
    sequence_length: int
    data: LabelledDataConfig | None  # that it was fine-tuned on, if it was

    @classmethod
    def load(cls, path: str | Path) -> "ClassifierRun":
        """Raises UserError when ``path`` is not a whole run of this version, fine-tuned or imported."""
        run = RunDirectory(path)
        stage = run.require_one_of(("finetune", "import"), run.config, run.tokenizer, run.model)["stage"]
        values = read_yaml(run.config)
        try:
            data = validate(LabelledDataConfig, values["data"], str(run.config)) if stage == "finetune" else None
            sequence_length = int(values["sequence_length"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{run.config} is damaged: {error!r}.") from error
        return cls(load_task(run.model), load_tokenizer(run.tokenizer), sequence_length, data)


def evaluate_run(path: str | Path, source: Source, out: Path | None = None) -> dict:
    """Figures of a fine-tuned run on the labelled texts of ``source``; also written to ``out``/evaluation.json.

    ``left_out`` counts by reason the texts that are no examples: those without text or label, or that are too short.

    Raises:
        UserError: the run is incomplete, or the data unreadable or with labels that the run does not know.
    """
    run = ClassifierRun.load(path)
    classifier = run.classifier
    dropped: Counter[str] = Counter()
    data = run.data or LabelledDataConfig(train=source)
    examples = load_examples(source, classifier.class_names, data, classifier.config.multi_label, dropped)
    token_ids = encode_texts(run.tokenizer, examples.texts, run.sequence_length)
    figures = evaluate_classifier(classifier, token_ids, examples) | {"left_out": dict(dropped)}
    if out is not None:
        write_text(Path(out) / "evaluation.json", json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    return figures
