import json

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.command_line import assert_told_cleanly, tfplm
from tests.trainers.task_kinds.small_runs import tokenizer_of
from tfplm.answering.fill_mask import MaskFiller
from tfplm.cli import app
from tfplm.errors import UserError
from tfplm.models.build import build_model
from tfplm.models.configuration import BertConfig
from tfplm.objectives import MaskedLmConfig
from tfplm.run_directory import RunDirectory, write_config
from tfplm.tasks.masked_language_model import MaskedLanguageModel
from tfplm.tasks.saving import save_task

SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16, "max_sequence_length": 12}
WORDS = ["the", "state", "union", "##s", "of", "天", "气", "[", "]", "mask"]


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizer_of(WORDS)


@pytest.fixture(scope="module")
def task(tokenizer):
    """Likes "union" best, then "##s", then "气", wherever the mask is."""
    keras.utils.set_random_seed(0)
    task = MaskedLanguageModel(build_model(BertConfig(**SIZES), tokenizer.vocabulary_size), MaskedLmConfig())
    bias = np.zeros(tokenizer.vocabulary_size, "float32")
    bias[[tokenizer.vocabulary.index(word) for word in ("union", "##s", "气")]] = [9.0, 8.0, 7.0]
    task.output_bias.bias.assign(bias)
    return task


@pytest.fixture(scope="module")
def run(task, tokenizer, tmp_path_factory):
    run = RunDirectory(tmp_path_factory.mktemp("pretrained"))
    write_config(run, {"stage": "pretrain"})
    tokenizer.save(run.tokenizer)
    save_task(task, run.model)
    run.write_report("pretrain", "mark", {})
    return run.path


def test_every_mask_has_its_likeliest_tokens_and_the_text_with_each(task, tokenizer):
    found = MaskFiller(task, tokenizer).fill("The State [MASK], 天[MASK]!", top_k=3)
    assert found.filled == "The State union, 天union!"
    assert [[candidate.token for candidate in mask] for mask in found.masks] == [["union", "##s", "气"]] * 2
    assert [candidate.text for candidate in found.masks[0]] == [
        "The State union, 天union!", "The States, 天union!", "The State 气, 天union!",
    ]  # fmt: skip
    assert found.masks[1][2].text == "The State union, 天气!"
    assert all(0.0 < candidate.probability < 1.0 for candidate in found.masks[0])


def test_probabilities_are_those_of_the_whole_vocabulary_at_the_masks(task, tokenizer):
    found = MaskFiller(task, tokenizer).fill("the [MASK] of [MASK]", top_k=tokenizer.vocabulary_size)
    for mask in found.masks:
        assert sum(candidate.probability for candidate in mask) == pytest.approx(1.0, abs=1e-5)
    vocabulary = tokenizer.vocabulary
    row = [2, vocabulary.index("the"), tokenizer.mask_id, vocabulary.index("of"), tokenizer.mask_id, 3]
    logits = task({"token_ids": np.array([row]), "mask_positions": np.array([[2, 4]])})["masked_lm"]
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits))[0]
    for mask, row in zip(found.masks, expected, strict=True):
        assert [mask[0].probability, mask[0].token_id] == [pytest.approx(row.max(), rel=1e-4), row.argmax()]


def test_the_word_for_a_mask_may_be_another_and_the_usual_one_is_then_text(task, tokenizer):
    filler = MaskFiller(task, tokenizer, mask_word="___")
    assert filler.fill("[MASK] ___").filled == "[MASK] union"
    row, positions = filler._row(["[mask]", ""])
    assert (row.tolist()[1:4], positions.tolist()) == ([tokenizer.vocabulary.index(w) for w in "[ mask ]".split()], [4])


@pytest.mark.parametrize(("text", "told"), [("the union", "There is no"), ("the " * 11 + "[MASK]", "reads at most 12")])
def test_a_text_that_cannot_be_filled_is_told(task, tokenizer, text, told):
    with pytest.raises(UserError) as caught:
        MaskFiller(task, tokenizer).fill(text)
    assert told in str(caught.value)


def test_the_command_shows_candidates_or_gives_json(run):
    shown = CliRunner().invoke(app, ["fill-mask", str(run), "天[MASK]", "--top-k", "2"])
    assert shown.stdout.splitlines()[0] == "天union"
    assert shown.stdout.splitlines()[2].split()[1:] == ["##s", "天s"]
    answer = CliRunner().invoke(app, ["fill-mask", str(run), "--json"], input="天[MASK]\nthe [MASK]\n")
    first, second = map(json.loads, answer.stdout.splitlines())
    assert (first["filled"], second["masks"][0][0]["token"], len(second["masks"][0])) == ("天union", "union", 5)


def test_a_model_without_that_head_is_told_before_anything_is_loaded(run, tmp_path):
    other = RunDirectory(tmp_path / "run")
    for folder in (other.tokenizer, other.model):
        folder.mkdir(parents=True)
    (other.model / "model.json").write_text('{"task_type": "text_embedding"}')
    write_config(other, {"stage": "import"})
    other.write_report("import", "mark", {})
    answer = tfplm(tmp_path, "fill-mask", str(other.path), "a [MASK]")
    assert_told_cleanly(answer, "of the task 'text_embedding'", "--task masked_lm")
