import numpy as np

from tests.corpora import numbered_shards, sentinel_tokenizer
from tfplm import feature_names as names
from tfplm.data.pretraining import pretraining_batches
from tfplm.objectives import PrefixLmConfig, decoder_length

LENGTH, END = 12, 1


def batches(folder, batch_size=8):
    shards = numbered_shards(folder, *np.random.default_rng(0).integers(1, 60, 40))
    return pretraining_batches(shards, sentinel_tokenizer(0), PrefixLmConfig(), LENGTH, batch_size, 0)


def test_the_decoder_goes_on_where_the_encoder_ends(tmp_path):
    source = batches(tmp_path / "s")
    texts = source.texts(3, np.arange(8))
    features, targets, weights = source.batch(3)
    assert targets[names.NEXT_TOKEN].shape == (8, decoder_length(source.objective, LENGTH))
    for row, text in enumerate(texts.tolist()):
        inputs = features[names.TOKEN_IDS][row].tolist()
        written = targets[names.NEXT_TOKEN][row].tolist()
        num_written = int(weights[names.NEXT_TOKEN][row].sum())
        split = LENGTH - num_written
        assert inputs == [*text[:split], END] + [0] * (LENGTH - split - 1)
        assert written == text[split:] + [0] * split
        assert weights[names.NEXT_TOKEN][row].tolist() == [1.0] * num_written + [0.0] * split
        assert features[names.DECODER_TOKEN_IDS][row].tolist() == [0, *written[:-1]]


def test_every_place_to_part_a_text_is_as_probable(tmp_path):
    source = batches(tmp_path / "s", batch_size=1100)
    counts = np.bincount(
        np.concatenate([source.batch(step)[2][names.NEXT_TOKEN].sum(axis=1).astype(int) for step in range(5)])
    )
    assert counts[0] == 0 and len(counts) == LENGTH  # one token to all but one
    assert ((counts[1:] - 500) ** 2 / 500).sum() < 29.6  # 10 degrees of freedom, p = 0.001
