import keras
import numpy as np
import pytest
from keras import ops

from tests.tfplm.tasks.small_encoders import PACKED, UNPACKED, randomize
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig, LstmConfig
from tfplm.tasks.configuration import TextClassificationConfig
from tfplm.tasks.text_classification import TextClassifier

ENCODERS = {
    "bert": BertConfig(num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32, max_sequence_length=8),
    "lstm": LstmConfig(embedding_dim=8, hidden_dim=8),
}
NAMES = ["a", "b", "c"]
LABELS = np.arange(12) % 3
INPUTS = {"token_ids": np.where(np.arange(8) < 6, LABELS[:, None] + 5, 0).astype("int32")}  # the label is in the text
ROWS = np.eye(3, dtype="float32")[LABELS] + np.eye(3, dtype="float32")[(LABELS + 1) % 3]


def build(family: str, **config) -> TextClassifier:
    return TextClassifier(build_model(ENCODERS[family], 20), TextClassificationConfig(**config), NAMES)


@pytest.mark.parametrize("family", ENCODERS)
@pytest.mark.parametrize("multi_label", [False, True])
def test_fit_learns_what_is_in_the_text(family, multi_label):
    keras.utils.set_random_seed(1)
    classifier = build(family, multi_label=multi_label)
    classifier.compile_for_training(keras.optimizers.Adam(0.01))
    labels = ROWS if multi_label else LABELS
    history = classifier.fit(INPUTS, labels, validation_data=(INPUTS, labels), epochs=30, verbose=0).history
    assert history["val_accuracy"][-1] == 1.0
    assert history["val_macro_f1"][-1] == pytest.approx(1.0)


@pytest.mark.parametrize("family", ENCODERS)
def test_mean_pooling_leaves_padding_out(family):
    classifier = build(family, pooling="mean")
    short = {"token_ids": INPUTS["token_ids"][:, :7]}
    np.testing.assert_allclose(classifier(INPUTS), classifier(short), atol=1e-6)
    encoded = classifier.encoder(INPUTS)["sequence_output"]
    expected = classifier.classifier(ops.mean(encoded[:, :6], axis=1))
    np.testing.assert_allclose(classifier(INPUTS), expected, atol=1e-5)


def test_the_pooler_is_trained_where_it_is_used():
    for pooling in ("encoder", "mean"):
        paths = [weight.path for weight in build("bert", pooling=pooling).trainable_variables]
        assert any("pooler" in path for path in paths) == (pooling == "encoder")


def test_probabilities_are_of_one_class_or_of_each():
    logits = ops.convert_to_tensor([[0.0, 1.0, 2.0]])
    one = ops.convert_to_numpy(build("lstm").probabilities(logits))
    each = ops.convert_to_numpy(build("lstm", multi_label=True).probabilities(logits))
    np.testing.assert_allclose(one.sum(), 1.0, rtol=1e-6)
    np.testing.assert_allclose(each, 1 / (1 + np.exp(-np.array([[0.0, 1.0, 2.0]]))), rtol=1e-6)


def test_loss_smooths_labels_as_configured():
    classifier = build("lstm", label_smoothing=0.1)
    classifier.compile_for_training(keras.optimizers.Adam())
    got = classifier.evaluate(INPUTS, LABELS, verbose=0, return_dict=True)["loss"]
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    assert got == pytest.approx(float(keras_loss(np.eye(3)[LABELS], classifier(INPUTS))), rel=1e-5)


def test_sample_weights_change_the_loss_and_not_the_accuracy():
    classifier = build("lstm")
    classifier.compile_for_training(keras.optimizers.Adam())
    weights = np.where(LABELS == 0, 3.0, 0.5).astype("float32")
    plain = classifier.evaluate(INPUTS, LABELS, verbose=0, return_dict=True)
    weighted = classifier.evaluate(INPUTS, LABELS, sample_weight=weights, verbose=0, return_dict=True)
    losses = ops.convert_to_numpy(
        keras.losses.sparse_categorical_crossentropy(LABELS, classifier(INPUTS), from_logits=True)
    )
    assert weighted["loss"] == pytest.approx((losses * weights).mean(), rel=1e-5)
    assert weighted["accuracy"] == plain["accuracy"]
    assert weighted["macro_f1"] == plain["macro_f1"]


def test_rows_that_fill_up_a_batch_do_not_count():
    classifier = build("lstm")
    classifier.compile_for_training(keras.optimizers.Adam())
    weights = np.where(np.arange(12) < 7, 1.0, 0.0).astype("float32")
    filled = classifier.evaluate(INPUTS, LABELS, sample_weight=weights, verbose=0, return_dict=True)
    first = {"token_ids": INPUTS["token_ids"][:7]}
    alone = classifier.evaluate(first, LABELS[:7], verbose=0, return_dict=True)
    assert filled["accuracy"] == pytest.approx(alone["accuracy"])
    assert filled["macro_f1"] == pytest.approx(alone["macro_f1"])


def test_logits_are_float32_in_mixed_bfloat16(mixed_bfloat16):
    logits = build("bert")(INPUTS)
    assert logits.shape == (12, 3)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


PACKED_ENCODERS = {
    **{
        f"bert_{positions}": ENCODERS["bert"].model_copy(update={"position_embedding": positions, "num_layers": 2})
        for positions in ("learned", "sinusoidal", "relative")
    },
    **{
        f"lstm_{pooling}_{directions}": LstmConfig(
            num_layers=2, embedding_dim=8, hidden_dim=8, bidirectional=directions == "both", pooling=pooling
        )
        for pooling in ("last", "max", "mean")
        for directions in ("forward", "both")
    },
}


@pytest.mark.parametrize("pooling", ["encoder", "mean"])
@pytest.mark.parametrize("encoder", PACKED_ENCODERS)
def test_packed_and_unpacked_logits_agree(encoder, pooling):
    classifier = TextClassifier(
        build_model(PACKED_ENCODERS[encoder], 20), TextClassificationConfig(pooling=pooling), NAMES
    )
    randomize(classifier)
    packed = ops.convert_to_numpy(classifier(PACKED))
    assert packed.shape == (2, 3, 3)
    unpacked = ops.convert_to_numpy(classifier(UNPACKED))
    np.testing.assert_allclose([*packed[0], packed[1, 0]], unpacked, atol=1e-5)
    assert np.isfinite(packed).all()


@pytest.mark.parametrize("multi_label", [False, True])
def test_packed_and_unpacked_losses_agree(multi_label):
    classifier = build("bert", multi_label=multi_label)
    labels = ROWS[:4] if multi_label else LABELS[:4]
    weights = np.array([1.0, 0.5, 2.0, 1.5], "float32")
    targets = np.stack([labels[:3], labels[[3, 0, 0]]])
    packed_weights = np.array([weights[:3], [1.5, 0.0, 0.0]], "float32")
    packed = classifier.score(PACKED, targets, packed_weights, training=False)
    unpacked = classifier.score(UNPACKED, labels, weights, training=False)
    losses = ops.convert_to_numpy(packed.losses["text_classification"])
    np.testing.assert_allclose(losses[:4], unpacked.losses["text_classification"], atol=1e-5)
    np.testing.assert_array_equal(losses[4:], 0.0)
    for metric in classifier.build_score_metrics():
        results = []
        for scores in (packed, unpacked):
            metric.reset_state()
            metric.update_state(*scores.metrics[metric.name])
            results.append(float(metric.result()))
        assert results[0] == pytest.approx(results[1], abs=1e-6)


def test_repeated_or_single_class_names_are_errors():
    encoder = build_model(ENCODERS["lstm"], 20)
    for class_names in (["a"], ["a", "a"]):
        with pytest.raises(ValueError, match="class_names"):
            TextClassifier(encoder, TextClassificationConfig(), class_names)


def test_config_rebuilds_the_task():
    classifier = build("lstm", dropout=0.3)
    rebuilt = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(classifier))
    assert rebuilt.config == classifier.config
    assert rebuilt.class_names == NAMES
