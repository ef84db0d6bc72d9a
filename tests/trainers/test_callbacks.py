import contextlib
import functools
import json
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from tests.corpora import random_shards, tiny_tokenizer
from tfplm.data.pretraining import pretraining_batches
from tfplm.models.build import build_model
from tfplm.models.configuration import LstmConfig
from tfplm.objectives import CausalLmConfig
from tfplm.progress import Progress
from tfplm.tasks.causal_language_model import CausalLanguageModel
from tfplm.training_configuration import OptimizerConfig
from trainers.callbacks import MACHINE_FIGURES, BestWeights, PeriodicCheckpoint, TrainingMonitor
from trainers.checkpoints import Checkpoint
from trainers.optimizers import build_optimizer
from trainers.training_model import TrainingModel

X = np.linspace(-1, 1, 32, dtype="float32").reshape(32, 1)
TOKENS_PER_STEP = 10
CONFIG = "seed: 7\nmodel: {type: bert, num_layers: 2, dropout: null}\npaths: [a.txt, b.txt]\ncased: true\n"


class Line(keras.Sequential):
    @property
    def step(self) -> int:
        return int(self.optimizer.iterations)


def line(learning_rate=0.1, precision="float32"):
    keras.utils.set_random_seed(0)
    built = Line([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = build_optimizer(OptimizerConfig(learning_rate=learning_rate), 100, precision)
    built.compile(optimizer=optimizer, loss="mse", auto_scale_loss=False)
    built.optimizer.build(built.trainable_variables)
    return built


@contextlib.contextmanager
def monitoring(logs_folder=None, progress=None, **settings):
    with (progress or Progress.silent()).task("fit", 8, "steps") as bar:
        monitor = TrainingMonitor(logs_folder, bar, TOKENS_PER_STEP, CONFIG, **settings)
        with contextlib.closing(monitor):
            yield monitor


def fit(monitor, *others, epochs=2, model=None, **arguments):
    """Intervals of 4 steps."""
    model = model or line()
    model.fit(X, X, batch_size=8, epochs=epochs, callbacks=[monitor, *others], verbose=0, **arguments)
    return model


def pauses(**seconds):
    """A callback that sleeps when it is called: ``pauses(on_test_begin=0.2)``."""
    return keras.callbacks.LambdaCallback(
        **{event: lambda *_, length=length, **__: time.sleep(length) for event, length in seconds.items()}
    )


def events(folder):
    return EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


def traced_steps(folder):
    """The numbers of the steps in each trace of a TensorBoard folder."""
    traces = []
    for path in sorted((folder / "plugins" / "profile").glob("*/*.xplane.pb")):
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
        traces.append(
            sorted(
                stat.int64_value
                for plane in space.planes
                for timeline in plane.lines
                for event in timeline.events
                if plane.event_metadata[event.metadata_id].name == "train"
                for stat in event.stats
                if plane.stat_metadata[stat.metadata_id].name == "step_num"
            )
        )
    return traces


def test_every_interval_has_its_figures():
    with monitoring() as monitor:
        model = fit(monitor, validation_data=(X, X))
    assert [entry["step"] for entry in monitor.history] == [4, 8]
    last = monitor.history[-1]
    mathematics = {"step", "loss", "val_loss", "learning_rate", "gradient_norm", "parameter_norm"}
    assert mathematics | {"seconds", "tokens_per_second", "peak_memory_mb"} <= last.keys()
    assert last.keys() - MACHINE_FIGURES == mathematics
    assert not last.keys() & {"ceiling_share", "model_flop_utilization", "data_wait_share"}  # nobody knows
    expected = np.sqrt(sum(np.sum(weights.astype(np.float64) ** 2) for weights in model.get_weights()))
    np.testing.assert_allclose(last["parameter_norm"], expected, rtol=1e-6)
    assert last["gradient_norm"] == float(model.optimizer.gradient_norm)


def test_two_equal_runs_differ_only_in_what_the_machine_did():
    with monitoring() as first, monitoring() as second:
        fit(first)
        fit(second)

    def mathematics(monitor):
        return [{k: v for k, v in entry.items() if k not in MACHINE_FIGURES} for entry in monitor.history]

    assert mathematics(first) == mathematics(second)
    assert first.history != second.history


def test_loss_scaling_shows_its_scale_and_the_gradient_without_it():
    with monitoring() as monitor:
        model = fit(monitor, model=line(precision="mixed_float16"))
    last = monitor.history[-1]
    assert last["loss_scale"] == float(model.optimizer.dynamic_scale)
    assert last["gradient_norm"] == float(model.optimizer.inner_optimizer.gradient_norm)


def test_shares_are_of_the_operations_that_were_done_in_the_time():
    with monitoring(flops_per_step=6e6, ceiling_flops=2e9, peak_flops=5e9) as monitor:
        fit(monitor)
    for entry in monitor.history:
        flops = 6e6 * entry["tokens_per_second"] / TOKENS_PER_STEP
        assert entry["ceiling_share"] == pytest.approx(flops / 2e9)
        assert entry["model_flop_utilization"] == pytest.approx(flops / 5e9)
    assert last_rate(monitor) <= 4 / monitor.history[-1]["seconds"] * 1.001


def last_rate(monitor):
    return monitor.history[-1]["tokens_per_second"] / TOKENS_PER_STEP


def test_validation_is_no_training_time():
    began = time.perf_counter()
    with monitoring() as monitor:
        fit(monitor, pauses(on_test_begin=0.2, on_test_end=0.2, on_epoch_end=0.2), validation_data=(X, X))
    assert monitor.seconds <= time.perf_counter() - began - 2 * 0.6
    assert monitor.seconds == pytest.approx(sum(entry["seconds"] for entry in monitor.history))


def test_the_first_step_of_a_process_is_not_in_the_rates():
    def compile_slowly(batch, logs=None):
        if batch == 0:
            time.sleep(0.5)

    with monitoring() as monitor:
        model = line()
        slow = keras.callbacks.LambdaCallback(on_train_batch_begin=compile_slowly)
        fit(monitor, slow, model=model, epochs=1)
    entry = monitor.history[0]
    assert entry["seconds"] >= 0.5
    assert entry["tokens_per_second"] >= 3 * TOKENS_PER_STEP / (entry["seconds"] - 0.5)


def test_an_interval_that_is_cut_short_counts_the_steps_it_has():
    def stop(batch, logs=None):
        model.stop_training = batch == 2

    with monitoring() as monitor:
        model = line()
        fit(monitor, keras.callbacks.LambdaCallback(on_train_batch_end=stop), model=model)
    assert [entry["step"] for entry in monitor.history] == [3]
    assert last_rate(monitor) >= 2 / monitor.seconds


def test_a_checkpoint_within_an_interval_has_its_seconds():
    states = []

    def keep_state(batch, logs=None):
        states.append(monitor.state())

    with monitoring() as monitor:
        fit(monitor, keras.callbacks.LambdaCallback(on_train_batch_end=keep_state))
    seconds = [state["seconds"] for state in states]
    assert seconds == sorted(seconds) and len(set(seconds[:3])) == 3
    assert seconds[-1] == monitor.state()["seconds"] == monitor.seconds


def test_the_history_goes_on_from_a_checkpoint():
    with monitoring() as monitor:
        fit(monitor)
    restored = Checkpoint(8, json.loads(json.dumps(monitor.state())), {})
    with monitoring(restored=restored) as following:
        fit(following)
    assert [entry["step"] for entry in following.history] == [4, 8, 12, 16]
    assert following.history[:2] == monitor.history
    assert following.seconds > monitor.seconds
    assert [entry["step"] for entry in monitor.history] == [4, 8]


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    """A training model and a data set of single batches."""
    tokenizer, objective = tiny_tokenizer(), CausalLmConfig()
    shards = random_shards(tmp_path_factory.mktemp("shards"), 60)
    encoder = build_model(LstmConfig(embedding_dim=4, hidden_dim=4, bidirectional=False), tokenizer.vocabulary_size)
    model = TrainingModel(CausalLanguageModel(encoder, objective))
    model.compile(build_optimizer(OptimizerConfig(), 100))
    batches = pretraining_batches(shards, tokenizer, objective, 16, 4, seed=5)
    return model, tf.data.Dataset.from_tensors(batches.batch(0)).repeat()


@pytest.mark.parametrize(("pause", "least", "most"), [(0.2, 0.5, 1.0), (0.0, 0.0, 0.5)])
def test_waiting_for_data_is_told_as_its_share_of_the_time(language_model, pause, least, most):
    model, dataset = language_model

    def slowly(*batch):
        with tf.control_dependencies([tf.py_function(lambda: time.sleep(pause), [], [])]):
            return tf.nest.map_structure(tf.identity, batch)

    with monitoring() as monitor:
        model.fit(dataset.map(slowly), steps_per_epoch=4, callbacks=[monitor], shuffle=False, verbose=0)
    assert least <= monitor.history[0]["data_wait_share"] <= most


def test_tensorboard_shows_figures_text_and_hyper_parameters(tmp_path):
    with monitoring(tmp_path) as monitor:
        fit(monitor, validation_data=(X, X))
        monitor.text("note", "**bold**")
    log = events(tmp_path)
    expected = "train/loss train/parameter_norm validation/loss machine/tokens_per_second configuration note".split()
    assert set(expected) <= set(log.Tags()["tensors"])
    shown = [tf.make_ndarray(event.tensor_proto) for event in log.Tensors("train/loss")]
    np.testing.assert_array_equal(shown, np.float32([entry["loss"] for entry in monitor.history]))
    session = {tag: HParamsPluginData.FromString(data) for tag, data in log.PluginTagToContent("hparams").items()}
    hparams = session["_hparams_/session_start_info"].session_start_info.hparams
    assert {name: value.WhichOneof("kind") for name, value in hparams.items()} == {
        "seed": "number_value",
        "model.type": "string_value",
        "model.num_layers": "number_value",
        "paths": "string_value",
        "cased": "bool_value",
    }
    assert hparams["paths"].string_value == "a.txt, b.txt"
    assert "_hparams_/session_end_info" in session


def test_a_training_that_fails_is_not_shown_as_done(tmp_path):
    def fail(batch, logs=None):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), monitoring(tmp_path) as monitor:
        fit(monitor, keras.callbacks.LambdaCallback(on_train_batch_end=fail))
    assert events(tmp_path).PluginTagToContent("hparams").keys() == {"_hparams_/session_start_info"}


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with monitoring(None, profile=(2, 3)) as monitor:
        fit(monitor)
    assert monitor.history and not list(tmp_path.iterdir())


def test_the_terminal_shows_the_key_figures(capsys):
    with monitoring(progress=Progress(), flops_per_step=1e6, ceiling_flops=1e9) as monitor:
        fit(monitor, validation_data=(X, X))
    shown = capsys.readouterr().err
    for figure in ("8 steps", ", loss 0", "val_loss 0", "tokens_per_second", "ceiling_share 0"):
        assert figure in shown


def test_a_trace_holds_exactly_the_steps_that_were_asked_for(tmp_path):
    with monitoring(tmp_path, profile=(3, 6)) as monitor:  # over the end of an interval
        fit(monitor, validation_data=(X, X))
    assert traced_steps(tmp_path) == [[3, 4, 5, 6]]


def test_writing_a_trace_is_no_training_time(tmp_path):
    began = time.perf_counter()
    with monitoring(tmp_path, profile=(2, 2)) as monitor:
        monitor._profiler.close = functools.partial(_slowly, monitor._profiler.close)
        fit(monitor, epochs=1)
    assert monitor.seconds <= time.perf_counter() - began - 0.5


def _slowly(function):
    time.sleep(0.5)
    function()


def test_a_training_that_fails_while_traced_can_be_traced_again(tmp_path):
    def fail(batch, logs=None):
        if batch == 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), monitoring(tmp_path / "first", profile=(2, 8)) as monitor:
        fit(monitor, keras.callbacks.LambdaCallback(on_train_batch_begin=fail))
    with monitoring(tmp_path / "second", profile=(2, 3)) as monitor:
        fit(monitor)
    assert traced_steps(tmp_path / "first") == [[2, 3]]
    assert traced_steps(tmp_path / "second") == [[2, 3]]


@pytest.mark.parametrize(("limits", "steps"), [({}, [4, 8]), ({"every_steps": 8}, [8]), ({"every_seconds": 600}, [])])
def test_checkpoints_come_when_enough_has_been_done(limits, steps):
    model, saved = line(), []
    with monitoring() as monitor:
        fit(monitor, PeriodicCheckpoint(lambda: saved.append(model.step), monitor, **limits), model=model)
    assert saved == steps


def feed(callback, values):
    """Gives a callback one epoch after the other until it stops; returns the number of the last one."""
    callback.set_model(line())
    callback.model.stop_training = False
    for epoch, value in enumerate(values):
        callback.model.set_weights([np.full((1, 1), epoch), np.full(1, epoch)])
        callback.on_epoch_end(epoch, {"val_loss": value})
        if callback.model.stop_training:
            break
    callback.put_back(callback.model)
    return epoch


@pytest.mark.parametrize(
    ("values", "patience", "last", "best"),
    [
        ([3, 2, 1, 2, 3, 0], 2, 4, 2),
        ([3, 2, 1, 2, 3, 0], 3, 5, 5),
        ([3, 2, 1, 2, 3, 0], None, 5, 5),
        ([1, 1, 1, 2], 1, 3, 2),  # a tie goes to the later epoch
    ],
)
def test_training_stops_when_patience_is_lost_and_ends_with_the_best_weights(values, patience, last, best):
    callback = BestWeights("val_loss", maximize=False, patience=patience)
    assert feed(callback, values) == last
    assert callback.best_epoch == best
    assert callback.model.get_weights()[0] == best
