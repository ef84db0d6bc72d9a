"""Greedy writing by tfplm."""

from benchmarks.contender import Measurable
from benchmarks.workload import GenerationWorkload
from tfplm.generation.configuration import GenerationConfig
from tfplm.generation.decoding import DecodingLoop
from tfplm.generation.plan import Vocabulary
from tfplm.models.configuration import GptConfig
from tfplm.models.gpt import Gpt
from tfplm.objectives import CausalLmConfig
from tfplm.tasks.causal_language_model import CausalLanguageModel


def build(workload: dict, jit: bool) -> Measurable:
    """A `CausalLanguageModel` in its `DecodingLoop`, from token ids to token ids."""
    gpt = GenerationWorkload(**workload)
    task = CausalLanguageModel(Gpt(_config(gpt)), CausalLmConfig())
    loop = DecodingLoop(task, jit_compile=jit)
    prompts = gpt.prompts().tolist()
    settings = GenerationConfig(max_new_tokens=gpt.new_tokens, min_new_tokens=gpt.new_tokens)
    vocabulary = Vocabulary(gpt.vocabulary_size, end_id=1)

    def run(repetitions: int) -> None:
        for _ in range(repetitions):
            texts = loop.write(prompts, settings, vocabulary)
            assert all(len(text.token_ids) == gpt.new_tokens for (text,) in texts)

    return Measurable(run, gpt.written_tokens, {"parameters": task.count_params()})


def _config(workload: GenerationWorkload) -> GptConfig:
    return GptConfig(
        vocabulary_size=workload.vocabulary_size,
        num_layers=workload.num_layers,
        num_heads=workload.num_heads,
        hidden_dim=workload.hidden_dim,
        intermediate_dim=workload.intermediate_dim,
        max_sequence_length=workload.sequence_length,
    )
