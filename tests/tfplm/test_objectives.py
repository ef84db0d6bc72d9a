import pytest
from pydantic import ValidationError

from tfplm.objectives import (
    CausalLmConfig,
    MaskedLmConfig,
    PrefixLmConfig,
    SpanCorruptionConfig,
    decoder_length,
    least_sequence_length,
    span_lengths,
)


def test_span_corruption_has_the_lengths_of_the_paper():
    lengths = span_lengths(SpanCorruptionConfig(), 512)
    assert (lengths.text, lengths.noise, lengths.spans) == (568, 85, 28)
    assert (lengths.inputs, lengths.targets) == (512, 114)


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.25, 1 / 3, 0.375, 0.5])
@pytest.mark.parametrize("span", [1.0, 1.5, 2.0, 3.0, 8.0, 64.0])
def test_rows_are_full_at_every_length(rate, span):
    if rate * (1 + 1 / span) > 0.75:
        with pytest.raises(ValidationError, match="leaves too little text"):
            SpanCorruptionConfig(corruption_rate=rate, mean_span_length=span)
        return
    objective = SpanCorruptionConfig(corruption_rate=rate, mean_span_length=span)
    for sequence_length in range(least_sequence_length(objective), 200):
        lengths = span_lengths(objective, sequence_length)
        assert lengths.inputs == sequence_length
        assert 1 <= lengths.spans <= min(lengths.noise, lengths.text - lengths.noise)


def test_the_decoder_has_a_row_where_there_is_one():
    assert decoder_length(SpanCorruptionConfig(), 512) == 114
    assert decoder_length(PrefixLmConfig(), 512) == 512
    assert decoder_length(CausalLmConfig(), 512) == decoder_length(MaskedLmConfig(), 512) == 0
