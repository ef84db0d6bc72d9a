"""Preparation by Model Garden's ``create_pretraining_data``: tokenized in Python, paired, masked, written as TFRecords.

It does more than the others (pairs and masks are made once and for all; they make theirs anew for every step), and its
input comes split into sentences, which is not timed.
"""

import random
from pathlib import Path

from official.nlp.data import create_pretraining_data as create
from official.nlp.tools.tokenization import FullTokenizer

from benchmarks.contender import Measurable
from benchmarks.material import size_in_megabytes, speeches, tokenizer_folder
from tfplm.data.splitting import split_paragraphs, split_sentences


def build(megabytes: float, scratch: str) -> Measurable:
    """What its command does, with every sentence used once (``dupe_factor=1``)."""
    tokenizer = FullTokenizer(str(tokenizer_folder(scratch) / "vocab.txt"), do_lower_case=True)
    text = Path(scratch) / "sentences.txt"
    text.write_text("\n".join(map(_sentences, speeches(megabytes))), encoding="utf-8")
    written = [str(Path(scratch) / "instances.tfrecord")]

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            instances = create.create_training_instances(
                [str(text)],
                tokenizer,
                create.get_processor_text_fn(False, True),
                max_seq_length=128,
                dupe_factor=1,
                short_seq_prob=0.1,
                masked_lm_prob=0.15,
                max_predictions_per_seq=20,
                rng=random.Random(0),
            )
            create.write_instance_to_example_files(instances, tokenizer, 128, 20, written, False, True)

    return Measurable(run, size_in_megabytes([text]))


def _sentences(path: Path) -> str:
    """A speech with one sentence a line."""
    paragraphs = split_paragraphs(path.read_text(encoding="utf-8"))
    sentences = (sentence for paragraph in paragraphs for sentence in split_sentences(paragraph))
    return "".join(" ".join(sentence.split()) + "\n" for sentence in sentences)
