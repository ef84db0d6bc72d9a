"""Fine-tuning of models that write: every candidate with every seed on the same pairs."""

import json
from dataclasses import dataclass

from tfplm.data.batches import BatchSource
from tfplm.data.pairs import PairData
from tfplm.errors import UserError
from tfplm.finetuning_configuration import CandidateConfig
from tfplm.generation.text_generator import TextGenerator
from tfplm.models.build import build_model
from tfplm.models.lstm_seq2seq import LstmSeq2Seq
from tfplm.models.t5 import T5
from tfplm.objectives import CausalLmConfig
from tfplm.run_directory import RunDirectory, write_text
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.tasks.configuration import Seq2SeqLmConfig
from tfplm.tasks.language_model import LanguageModel
from tfplm.tasks.saving import load_task
from tfplm.tasks.seq2seq_language_model import Seq2SeqLanguageModel
from trainers.callbacks import BestWeights
from trainers.candidate_trainer import CandidateTrainer
from trainers.generation_evaluation import (
    Answer,
    answer_records,
    choose_pairs,
    judge_answers,
    judge_copies,
    write_answers,
)
from trainers.generation_report import OUTPUTS_FILE, examples_table
from trainers.pair_texts import PairTexts
from trainers.parity_texts import NUM_PARITY_TEXTS, write_parity_texts
from trainers.tensorboard import TensorBoardLog

_MANY_CUT = 0.1  # of the texts
_LOGGED_FIGURES = {"loss": "val_loss", "token_accuracy": "val_next_token_accuracy"}


@dataclass(frozen=True)
class GenerationFinetuner(CandidateTrainer):
    """Trains candidates on the pairs of one or several tasks; a run directory each."""

    encoded: PairData

    def build_task(self, candidate: CandidateConfig, pretrained: RunDirectory | None) -> LanguageModel:
        """The candidate's model, pretrained with its head, or new."""
        task = self._new_task(candidate) if pretrained is None else self._pretrained_task(pretrained)
        self._require_room(task.encoder.config)
        if self.tokenizer.config.type == "wordpiece":
            raise UserError(
                f"The tokenizer of the candidate is of type {self.tokenizer.config.type}, which loses text.",
                "Expected one of type sentencepiece or bytes, or that of an imported model that writes: text would "
                "come out changed.",
                "Pretrain a model with such a tokenizer.",
            )
        return task

    def _new_task(self, candidate: CandidateConfig) -> LanguageModel:
        encoder = build_model(candidate.model, self.tokenizer.vocabulary_size, self.tokenizer.pad_id)
        at_once = self.config.task.positions_per_chunk
        if isinstance(encoder, T5 | LstmSeq2Seq):
            return Seq2SeqLanguageModel(encoder, Seq2SeqLmConfig(positions_per_chunk=at_once))
        return CausalLanguageModel(encoder, CausalLmConfig(positions_per_chunk=at_once))

    def _pretrained_task(self, pretrained: RunDirectory) -> LanguageModel:
        task = load_task(pretrained.model)
        if not isinstance(task, LanguageModel):
            raise UserError(
                f"{pretrained.path} is the pretraining of a {task.encoder.config.type} model, which does not write.",
                "Expected one of a gpt, lstm, t5 or lstm_seq2seq model.",
            )
        task.trainable = True
        task.config = task.config.model_copy(update={"positions_per_chunk": self.config.task.positions_per_chunk})
        return task

    def _batches(self, task: LanguageModel, seed: int) -> tuple[BatchSource, BatchSource | None]:
        texts, data = self._texts(task), self.encoded
        validation = texts.batches(data.validation, None) if len(data.validation) else None
        train = texts.batches(data.train, seed)
        for side, num_cut in train.num_cut.items():
            share, setting = num_cut / len(data.train), f"finetune.{side.removesuffix('s')}_length"
            if share > _MANY_CUT:
                self.progress.message(f"{share:.0%} of the training {side} fill {setting}, and what is longer is cut.")
        return train, validation

    def _texts(self, task: LanguageModel) -> PairTexts:
        return PairTexts(task, self.tokenizer, self.config, self.place.jit_compile)

    def _tokens_per_row(self, task: LanguageModel) -> int:
        return self.config.source_length + self.config.target_length

    def _best(self) -> BestWeights:
        metric = self.config.validation_metric
        return BestWeights(_LOGGED_FIGURES[metric], metric != "loss", self.config.early_stopping_patience)

    def _judge(self, task: LanguageModel, run: RunDirectory) -> dict:
        data, texts = self.encoded, self._texts(task)
        judged_on = next(name for name in ("test", "validation", "train") if len(getattr(data, name)))
        self.progress.message(f"Answering the {judged_on} texts.")
        chosen = choose_pairs(getattr(data, judged_on), self.config.evaluation_examples)
        generator = TextGenerator(task, self.tokenizer)
        answers = write_answers(generator, chosen, texts.prompts(chosen), self.config.generation)
        self._write_examples(run, answers, texts)
        splits = dict.fromkeys(("validation", "test", judged_on))
        figures = {name: texts.figures(getattr(data, name)) for name in splits}
        figures[judged_on]["tasks"] = judge_answers(answers, self.config.bleu_tokenizer)
        baselines = judge_copies(answers, self.config.bleu_tokenizer)
        return {"data": data.figures, "judged_on": judged_on, **figures, "baselines": baselines}

    def _write_examples(self, run: RunDirectory, answers: list[Answer], texts: PairTexts) -> None:
        """Keeps the answers, shows some in TensorBoard, and keeps prompts for the proof at the end of an export."""
        records = answer_records(answers)
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        write_text(run.path / OUTPUTS_FILE, "".join(lines))
        splits = (self.encoded.test, self.encoded.validation, self.encoded.train)
        enough = next((pairs for pairs in splits if len(pairs) >= NUM_PARITY_TEXTS), self.encoded.train)
        write_parity_texts(run, texts.prompts(choose_pairs(enough, NUM_PARITY_TEXTS)))
        log = TensorBoardLog(run.logs)
        for name in dict.fromkeys(answer.task for answer in answers):
            log.text(0, f"examples_{name}", "\n".join(examples_table(name, {"output": records})))
        log.close()
