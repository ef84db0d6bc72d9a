"""Fine-tuning by Hugging Face: tokenizers, transformers and PyTorch, each batch tokenized when its turn comes."""

from collections.abc import Iterator

import torch
from transformers import BertForSequenceClassification, BertTokenizerFast

from benchmarks.contender import Measurable
from benchmarks.material import labelled_texts, tokenizer_folder
from benchmarks.torch_training import adamw, train
from benchmarks.train_step.transformers_torch import bert_config
from benchmarks.workload import FinetuningWorkload


def build(workload: dict, precision: str, scratch: str, padding: str) -> Measurable:
    """``padding`` is "longest" (of the batch) or "max_length"."""
    finetuning = FinetuningWorkload(**workload)
    tokenizer = BertTokenizerFast(str(tokenizer_folder(scratch, finetuning) / "vocab.txt"), do_lower_case=True)
    config = bert_config(finetuning.bert, num_labels=finetuning.num_classes)
    model = BertForSequenceClassification(config).train()
    optimizer = adamw(model, finetuning.bert)
    columns, labels = labelled_texts(scratch, finetuning)

    def batches(repetitions: int) -> Iterator[tuple]:
        order = torch.randperm(len(labels) * repetitions).tolist()
        for start in range(0, len(order), finetuning.batch_size):
            rows = [place % len(labels) for place in order[start : start + finetuning.batch_size]]
            encoded = tokenizer(
                *([column[row] for row in rows] for column in columns),
                truncation=True,
                max_length=finetuning.sequence_length,
                padding=padding,
                return_tensors="pt",
            )
            yield encoded, torch.tensor([labels[row] for row in rows])

    def run(repetitions: int) -> None:
        train(
            model,
            lambda encoded, targets: model(**encoded, labels=targets).loss,
            batches(repetitions),
            optimizer,
            precision,
            finetuning.bert.clip_norm,
        )

    return Measurable(run, finetuning.num_examples, {"parameters": model.num_parameters()})
