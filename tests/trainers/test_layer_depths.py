import keras
import pytest

from tests.trainers.small_tasks import CONFIGS, small_task, small_writer
from trainers.layer_depths import layer_depths, task_depths

DEPTHS = {
    "bert": {
        "bert/pooler/kernel": 1,
        "bert/block_1/feed_forward/output/kernel": 1,
        "bert/block_0/attention/qkv/bias": 2,
        "bert/embedding_norm/gamma": 3,
        "bert/position_embedding/embeddings": 3,
        "bert/token_embedding/embeddings": 3,
    },
    "shared": {
        "bert/final_norm/gamma": 1,
        "bert/block_0/attention/qkv/kernel": 1,
        "bert/embedding_projection/kernel": 2,
        "bert/token_embedding/embeddings": 2,
    },
    "lstm": {
        "lstm/lstm_1/lstm_cell/kernel": 1,
        "lstm/lstm_0/lstm_cell/recurrent_kernel": 2,
        "lstm/token_embedding/embeddings": 3,
    },
    "gpt": {
        "gpt/final_norm/gamma": 1,
        "gpt/block_1/attention/output/kernel": 1,
        "gpt/block_0/attention_norm/beta": 2,
        "gpt/token_embedding/embeddings": 3,
    },
    "t5": {
        "t5/decoder/final_norm/scale": 1,
        "t5/decoder/block_0/source_attention/query/kernel": 1,
        "t5/encoder/block_1/attention/qkv/kernel": 1,
        "t5/encoder/block_0/attention/qkv/kernel": 2,
        "t5/encoder/relative_position_bias/embeddings": 3,
        "t5/token_embedding/embeddings": 3,
    },
    "lstm_seq2seq": {
        "attention/query/kernel": 1,
        "bridge/bias": 1,
        "decoder_1/lstm_cell/bias": 1,
        "encoder_0/forward/lstm_cell/kernel": 2,
        "token_embedding/embeddings": 3,
    },
}


@pytest.mark.parametrize("family", CONFIGS)
def test_depths_count_from_the_top_layer_down_to_the_embeddings(family):
    encoder = small_task(family).encoder
    depths = layer_depths(encoder)
    assert {path: depths.get(path) for path in DEPTHS[family]} == DEPTHS[family]
    assert set(depths) == {weight.path for weight in encoder.weights}
    assert len(depths) == len(encoder.weights)  # every path is of one weight
    assert sorted(set(depths.values())) == list(range(1, max(depths.values()) + 1))


def test_the_head_stands_at_depth_0():
    depths = task_depths(small_task("bert"))
    assert {path for path, depth in depths.items() if depth == 0} == {
        "text_classifier/classifier/kernel",
        "text_classifier/classifier/bias",
    }


@pytest.mark.parametrize("task", [small_writer(), small_task("t5")], ids=["gpt", "t5"])
def test_embeddings_that_are_the_output_weights_are_part_of_the_head(task: keras.Model):
    assert task_depths(task)[task.encoder.token_embedding.embeddings.path] == 0
