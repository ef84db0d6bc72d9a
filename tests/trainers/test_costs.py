import functools
import json
import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from tests.command_line import ENVIRONMENT, ROOT
from tests.trainers.shipped_stages import CONFIGS, compared_stages, map_specs, shipped_stages, stages_of
from tfplm.config import load_config
from tfplm.experiment import ExperimentConfig, PretrainConfig
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig, GptConfig, LstmConfig, LstmSeq2SeqConfig, T5Config
from tfplm.objectives import MaskedLmConfig, SpanCorruptionConfig, span_lengths
from tfplm.tasks import vocabulary_scores
from tfplm.tasks.multiple_choice import MultipleChoice
from tfplm.tasks.text_embedding import TextEmbedder
from tfplm.training_configuration import OptimizerConfig
from trainers import costs
from trainers.costs import pretraining_workload, vocabulary
from trainers.optimizers import build_optimizer
from trainers.training_model import TrainingModel

TOLERANCE = 0.25  # what is promised
# Large models, and those that differ from one that is compared in their sizes alone: compared by hand, and left out
# here for their time.
LEFT_OUT = [
    *(f"bert/{size} pretrain" for size in ("base", "paper", "mini")),
    *(f"gpt/{name} pretrain" for name in ("llama_135m", "small", "sotu_decoder", "tiny")),
    "gpt/completion lstm",
    *(f"quickstart_zh {name}" for name in ("pretrain", "pretrained", "scratch", "lstm")),
    *(f"{name} lstm" for name in ("quickstart", "studies", "text_pairs")),
    "t5/quickstart pretrained",
    "t5/summarize lstm",
    *(f"t5/translate_en_zh {name}" for name in ("t5", "lstm")),
    *(f"transfer_proof {name}" for name in ("pretrain", "pretrained", "scratch")),
]
STAGES = {stage.name: stage for stage in compared_stages(LEFT_OUT)}


@pytest.fixture(scope="module")
def truths() -> dict[str, dict]:
    """What the steps were found to need by TensorFlow with XLA and by JAX, each in a process of its own."""
    programs = {
        name: subprocess.Popen(
            [sys.executable, "-m", f"tests.trainers.{name}", *LEFT_OUT],
            cwd=ROOT,
            env=ENVIRONMENT | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("compiled_memory", "counted_operations")
    }
    answers = {name: program.communicate(timeout=600) for name, program in programs.items()}
    for name, program in programs.items():
        assert program.returncode == 0, answers[name][1]
    return {name: json.loads(output) for name, (output, _) in answers.items()}


def test_every_shipped_stage_is_compared(truths):
    for truth in truths.values():
        assert set(truth) == set(STAGES)
    compared = {(stage.workload, stage.precision) for stage in STAGES.values()}
    shipped = [stage for stage in shipped_stages() if stage.name not in LEFT_OUT]
    assert len(shipped) > 12
    assert all((stage.workload, stage.precision) in compared for stage in shipped)


@pytest.mark.parametrize("name", STAGES)
def test_parameters_and_optimizer_state_are_those_of_the_model(truths, name):
    truth, workload = truths["compiled_memory"][name], STAGES[name].workload
    assert costs.parameters(workload) == truth["parameters"]
    assert costs.trained_parameters(workload) == truth["trained"]
    assert costs.optimizer_bytes(workload) == pytest.approx(4 * truth["optimizer"], rel=1e-3)


@pytest.mark.parametrize("name", STAGES)
def test_operations_are_those_that_jax_counts(truths, name):
    truth, workload = truths["counted_operations"][name], STAGES[name].workload
    assert costs.step_flops(workload) == pytest.approx(truth["products"], rel=0.02)
    has_loops = costs.has_chunks(workload) or workload.model.type.startswith("lstm")  # it counts their bodies once
    if not has_loops:
        assert costs.step_flops(workload) == pytest.approx(truth["cost_analysis"], rel=TOLERANCE)


@pytest.mark.parametrize("name", STAGES)
def test_memory_of_a_compiled_step_is_what_xla_assigns(truths, name):
    stage = STAGES[name]
    estimate = costs.memory_per_device(stage.workload, stage.precision, is_compiled=True)
    assert estimate.activations == pytest.approx(truths["compiled_memory"][name]["activations"], rel=TOLERANCE)


@pytest.mark.parametrize(
    "name",
    [
        "bert/tiny pretrain",
        "bert/tiny pretrain rematerialize=true",
        "classify_table bert",
        "lstm/language_model pretrain",
        "gpt/shakespeare pretrain",
        "t5/quickstart pretrain",
    ],
)
def test_memory_of_a_step_that_is_not_compiled_is_what_tensorflow_allocates(name):
    stage = STAGES[name]
    task = stage.build_task()
    model = TrainingModel(task, stage.config.accumulation_steps, stage.config.rematerialize)
    model.compile(build_optimizer(stage.optimizer, 1000), jit_compile=False)
    run = tf.function(model.train_step)
    batch = map_specs(tf.ones, stage.batch())
    memory = functools.partial(tf.config.experimental.get_memory_info, "CPU:0")
    run(batch)
    used = []
    for _ in range(4):  # what is done at the same time differs between steps
        float(keras.ops.sum(task.trainable_variables[0]))  # waits for the end of the step
        before = memory()["current"]
        tf.config.experimental.reset_memory_stats("CPU:0")
        run(batch)
        float(keras.ops.sum(task.trainable_variables[0]))
        used.append(memory()["peak"] - before)
    estimate = costs.memory_per_device(stage.workload, stage.precision, is_compiled=False)
    assert estimate.activations + estimate.gradients == pytest.approx(max(used), rel=TOLERANCE)


MODELS = {
    "learned": BertConfig(num_layers=2, hidden_dim=32, intermediate_dim=64, num_heads=2),
    "sinusoidal": BertConfig(num_layers=1, hidden_dim=32, intermediate_dim=48, position_embedding="sinusoidal"),
    "relative": BertConfig(num_layers=1, hidden_dim=32, position_embedding="relative", norm_first=True, num_segments=3),
    "lstm": LstmConfig(embedding_dim=16, hidden_dim=24, num_layers=2, bidirectional=False),
    "gpt": GptConfig(num_layers=1, hidden_dim=32, intermediate_dim=48, num_heads=2),
    "llama": GptConfig(
        num_layers=2,
        hidden_dim=32,
        intermediate_dim=48,
        num_heads=4,
        num_key_value_heads=2,
        head_dim=6,
        position_embedding="rotary",
        norm="rms_norm",
        activation="swiglu",
        use_bias=False,
        tie_embeddings=False,
    ),
    "qwen2": GptConfig(
        num_layers=1, hidden_dim=32, intermediate_dim=48, num_heads=2, norm="rms_norm", use_bias=False, qkv_bias=True
    ),
    "t5": T5Config(num_layers=1, num_decoder_layers=2, hidden_dim=32, intermediate_dim=48, head_dim=6, num_buckets=8),
    "t5_original": T5Config(num_layers=1, hidden_dim=16, intermediate_dim=24, activation="relu", tie_embeddings=True),
    "lstm_seq2seq": LstmSeq2SeqConfig(num_layers=2, embedding_dim=16, hidden_dim=24),
}
OBJECTIVES = {"lstm": "causal_lm", "gpt": "causal_lm", "t5": "span_corruption", "lstm_seq2seq": "prefix_lm"}


def workload_of(model, optimizer="adamw", **objective):
    objective = objective or {"type": OBJECTIVES.get(model.type, "masked_lm")}
    config = PretrainConfig.model_validate(
        {
            "model": model.model_dump(),
            "objective": objective,
            "sequence_length": 16,
            "batch_size": 4,
            "optimizer": {"type": optimizer},
        }
    )
    return config, pretraining_workload(config, 50)


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("optimizer", ["adamw", "lamb", "lion", "adafactor", "muon"])
def test_state_of_every_optimizer_is_counted(family, optimizer):
    config, workload = workload_of(MODELS[family], optimizer)
    from trainers.pretrain import build_pretraining_model

    task = build_pretraining_model(config, 50)
    built = build_optimizer(OptimizerConfig(type=optimizer), 10)
    built.build(task.trainable_variables)
    state = sum(int(keras.ops.size(variable)) for variable in built.variables)
    assert costs.parameters(workload) == task.count_params()
    # Beside its state an optimizer has a few counters, and Keras's Muon empty places.
    assert costs.optimizer_bytes(workload) / 4 == pytest.approx(state, abs=4 + 2 * len(task.trainable_variables))


def test_next_sentence_head_and_pooler_are_trained_where_they_are_used():
    _, without = workload_of(MODELS["learned"])
    _, with_head = workload_of(MODELS["learned"], **MaskedLmConfig(next_sentence=True).model_dump())
    width = 32
    assert costs.parameters(with_head) - costs.parameters(without) == 2 * width + 2
    assert costs.parameters(without) - costs.trained_parameters(without) == width * width + width
    assert costs.trained_parameters(with_head) == costs.parameters(with_head)


def test_decoder_and_vocabulary_of_an_encoder_decoder_work_on_the_targets_alone():
    _, workload = workload_of(MODELS["t5"], type="span_corruption")
    targets = span_lengths(SpanCorruptionConfig(), 16).targets
    assert (workload.target_length, workload.predictions) == (targets, targets)
    assert workload.tokens == 4 * (16 + targets)
    (vocabulary,) = [p for p in costs.forward_products(workload) if p.name == "head/vocabulary"]
    assert vocabulary.rows == 4 * targets
    own, of_source = [p for p in costs.forward_products(workload) if p.name.endswith("/scores")][1:]
    assert (own.rows, own.columns, of_source.rows, of_source.columns) == (targets, targets, targets, 16)


def test_vocabulary_is_compared_with_the_predicted_positions_only():
    config, workload = workload_of(MODELS["learned"])
    (vocabulary,) = [p for p in costs.forward_products(workload) if p.name == "head/vocabulary"]
    assert (vocabulary.rows, vocabulary.columns) == (4 * round(0.15 * 16), 50)
    larger = costs.training_flops_per_step(config, config.model, 60) - costs.training_flops_per_step(
        config, config.model, 50
    )
    assert larger == 3 * 2 * vocabulary.rows * 32 * 10


def test_flops_of_fine_tuning_are_those_of_the_candidates_model():
    (stage,) = [s for s in stages_of(CONFIGS / "quickstart.yaml") if s.name.endswith(" scratch")]
    assert costs.training_flops_per_step(stage.config, stage.model, 8192) == costs.step_flops(stage.workload)


@pytest.mark.parametrize(("name", "rows"), [("embeddings", 2 * 64), ("multiple_choice", 4 * 16)])
def test_an_example_of_several_rows_is_counted_with_all_of_them(name, rows):
    config = load_config(ExperimentConfig, CONFIGS / f"{name}.yaml").finetune
    lstm = config.candidates["lstm"].model
    workload = costs.finetuning_workload(config, lstm, 100, num_classes=1)
    assert (workload.batch_size, workload.tokens) == (rows, rows * config.sequence_length)
    encoder = build_model(lstm, 100)
    task = TextEmbedder(encoder, config.task) if name == "embeddings" else MultipleChoice(encoder, config.task)
    assert costs.parameters(workload) == task.count_params()


def test_rows_of_fine_tuning_to_write_are_those_of_the_models_kind():
    stages = {s.name: s for title in ("gpt/completion", "t5/summarize") for s in stages_of(CONFIGS / f"{title}.yaml")}
    decoder, encoder_decoder = (stages[name] for name in ("gpt/completion gpt", "t5/summarize t5"))
    config = decoder.config
    both = config.source_length + config.target_length
    assert (decoder.workload.sequence_length, decoder.workload.predictions) == (both, both)
    config, workload = encoder_decoder.config, encoder_decoder.workload
    assert (workload.sequence_length, workload.target_length) == (config.source_length, config.target_length)
    flops = costs.training_flops_per_step(config, encoder_decoder.model, 8192)
    assert flops == costs.step_flops(workload) > 0


def test_replicas_share_the_activations_and_nothing_else():
    _, workload = workload_of(MODELS["learned"])
    alone = costs.memory_per_device(workload, "float32", is_compiled=True)
    shared = costs.memory_per_device(workload, "float32", is_compiled=True, num_replicas=4)
    assert shared.activations == pytest.approx(alone.activations / 4)
    assert (shared.weights, shared.gradients, shared.optimizer) == (alone.weights, alone.gradients, alone.optimizer)


def test_chunks_are_divided_as_the_loss_divides_them():
    assert vocabulary.LOGITS_AT_ONCE == vocabulary_scores._LARGEST_LOGITS
