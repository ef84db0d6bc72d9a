import pytest

from tfplm.config import validate
from tfplm.errors import UserError
from tfplm.generation.configuration import GenerationConfig


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"stop": ["\n", ""]}, "a stop string is empty"),
        ({"strategy": "sample", "temperature": 0.0}, "temperature: input should be greater than 0"),
        ({"strategy": "sample", "top_p": 0.0}, "top_p: input should be greater than 0"),
        ({"strategy": "sample", "top_p": 1.5}, "top_p: input should be less than or equal to 1"),
        ({"strategy": "sample", "min_p": 1.0}, "min_p: input should be less than 1"),
        ({"strategy": "sample", "top_k": 0}, "top_k: input should be greater than 0"),
        ({"max_new_tokens": 0}, "max_new_tokens: input should be greater than 0"),
        ({"repetition_penalty": 0.0}, "repetition_penalty: input should be greater than 0"),
        ({"seed": -1}, "seed: input should be greater than or equal to 0"),
        ({"strategy": "nucleus"}, "strategy: input should be 'greedy', 'sample', 'beam' or 'contrastive'"),
        ({"strategy": "sample", "num_beams": 4}, "set strategy=beam, or leave num_beams out"),
        ({"temperature": 0.7}, "temperature=0.7 does nothing with strategy=greedy: set strategy=sample"),
        ({"num_samples": 3}, "num_samples=3 does nothing with strategy=greedy"),
        ({"strategy": "beam"}, "set num_beams=4"),
        ({"strategy": "beam", "num_beams": 2, "num_samples": 3}, "set num_beams=3"),
        ({"min_new_tokens": 9, "max_new_tokens": 8}, "min_new_tokens=9 is over max_new_tokens=8"),
        ({"tempreature": 0.7}, "did you mean 'temperature'?"),
    ],
)
def test_what_cannot_be_is_told_with_what_to_set(settings, told):
    with pytest.raises(UserError) as error:
        validate(GenerationConfig, settings, "generation")
    assert told in str(error.value)


def test_every_strategy_has_settings_that_work():
    GenerationConfig()
    GenerationConfig(strategy="sample", temperature=0.7, top_k=40, top_p=0.9, min_p=0.05, num_samples=3)
    GenerationConfig(strategy="beam", num_beams=4, length_penalty=0.6, num_samples=4)
    contrastive = GenerationConfig(strategy="contrastive", top_k=6, penalty_alpha=0.4)
    assert (contrastive.num_candidates, contrastive.likeness_penalty) == (6, 0.4)
    assert GenerationConfig(strategy="contrastive").num_candidates == 4
