import gzip
import math

import numpy as np
import pytest

from tests.corpora import sentinel_tokenizer
from tfplm.data.shards import ShardWriter, TokenShards
from trainers.text_floors import compression_floors, document_texts, text_floors

TOKENIZER = sentinel_tokenizer(0)
TRAIN = ["the cat sat on the mat. " * 8, "the dog sat on the log. " * 8, "雨停了。" * 5]
HELD_OUT = ["the cat sat on the log. ", "雨停了。"]


def shards(folder, texts) -> TokenShards:
    rows = TOKENIZER.encode(texts)
    writer = ShardWriter(folder, np.uint16)
    writer.add_documents(np.concatenate(rows), np.array([len(row) for row in rows]), 1 + np.arange(len(rows)))
    writer.close()
    return TokenShards.open(folder)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("floors")
    return shards(folder / "train", TRAIN), shards(folder / "validation", HELD_OUT)


def test_documents_come_back_as_text(corpus):
    assert list(document_texts(corpus[1], TOKENIZER)) == HELD_OUT


def test_unigram_is_the_surprise_by_counts_plus_one_of_every_token_and_every_end(corpus):
    figures = text_floors(*corpus, TOKENIZER)["unigram"]
    counts = np.ones(TOKENIZER.vocabulary_size)
    for text in TRAIN:
        for byte in text.encode():
            counts[4 + byte] += 1
        counts[TOKENIZER.end_id] += 1
    expected = [4 + byte for text in HELD_OUT for byte in text.encode()] + [TOKENIZER.end_id] * len(HELD_OUT)
    nats = -np.log(counts[expected] / counts.sum())
    assert figures["nats_per_token"] == pytest.approx(nats.mean())
    num_bytes = sum(len(text.encode()) for text in HELD_OUT)
    assert figures["bits_per_byte"] == pytest.approx(nats.sum() / math.log(2) / num_bytes)


def trigram_by_loops(train, context, token, size):
    """Interpolated Kneser-Ney, one probability at a time."""
    trigrams = {}
    for ids in train:
        row = [TOKENIZER.start_id] * 2 + list(ids) + [TOKENIZER.end_id]
        for place in range(2, len(row)):
            gram = tuple(row[place - 2 : place + 1])
            trigrams[gram] = trigrams.get(gram, 0) + 1
    orders = [trigrams]
    for _ in range(2):
        lower = {}
        for gram in orders[-1]:
            lower[gram[1:]] = lower.get(gram[1:], 0) + 1
        orders.append(lower)
    probability = 1 / size
    for grams, length in zip(reversed(orders), range(3), strict=True):
        once, twice = (sum(count == n for count in grams.values()) for n in (1, 2))
        discount = min(0.95, max(0.1, once / max(1, once + 2 * twice)))
        history = tuple(context[2 - length :])
        own = {gram: count for gram, count in grams.items() if gram[:-1] == history}
        if own:
            total = sum(own.values())
            count = own.get((*history, token), 0)
            probability = (max(count - discount, 0) + discount * len(own) * probability) / total
    return probability


def test_trigram_is_interpolated_kneser_ney_and_a_distribution(corpus):
    train, size = TOKENIZER.encode(TRAIN), TOKENIZER.vocabulary_size
    figures = text_floors(*corpus, TOKENIZER)["trigram"]
    nats = []
    for ids in TOKENIZER.encode(HELD_OUT):
        row = [TOKENIZER.start_id] * 2 + list(ids) + [TOKENIZER.end_id]
        for place in range(2, len(row)):
            nats.append(-math.log(trigram_by_loops(train, row[place - 2 : place], row[place], size)))
    assert figures["nats_per_token"] == pytest.approx(np.mean(nats))
    context = [4 + ord("t"), 4 + ord("h")]
    assert sum(trigram_by_loops(train, context, token, size) for token in range(size)) == pytest.approx(1.0)


def test_compressors_are_counted_on_the_held_out_text_and_know_training_text_when_primed():
    train, text = " ".join(map(str, range(3000))).encode(), " ".join(map(str, range(1000, 1300))).encode()
    floors = compression_floors(train, text)
    assert floors["gzip"]["bits_per_byte"] == 8 * len(gzip.compress(text, compresslevel=9)) / len(text)
    assert floors["xz_primed"]["bits_per_byte"] < 0.2 * floors["xz"]["bits_per_byte"]
    assert floors["xz_primed"]["training_bytes"] == len(train)
