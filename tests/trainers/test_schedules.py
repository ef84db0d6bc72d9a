import math

import pytest

from tfplm.training_configuration import OptimizerConfig
from trainers.schedules import WarmupDecay, build_schedule


def rates(decay, steps=100, warmup=10, final=0.0):
    schedule = WarmupDecay(1.0, steps, warmup, decay, final)
    return [float(schedule(step)) for step in range(steps + 1)]


@pytest.mark.parametrize("decay", ["linear", "cosine", "constant"])
def test_the_warm_up_rises_evenly_and_reaches_the_peak(decay):
    values = rates(decay)
    assert values[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert max(values) == pytest.approx(1.0)


def test_the_decays_follow_their_formulas():
    assert rates("linear")[55] == pytest.approx(0.5)
    assert rates("cosine")[55] == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))
    assert rates("constant")[55] == 1.0
    assert rates("linear", final=0.2)[100] == pytest.approx(0.2)


def test_the_configuration_gives_the_schedule():
    schedule = build_schedule(OptimizerConfig(learning_rate=2e-3, warmup_fraction=0.25, final_fraction=0.5), 80)
    assert (schedule.peak, schedule.warmup_steps, schedule.final) == (2e-3, 20, 1e-3)


def test_an_unknown_decay_is_named():
    with pytest.raises(ValueError, match="'linera'"):
        WarmupDecay(1.0, 10, 1, "linera")
