from tests.trainers.pretrained_base import finetune, moved, write_base


def test_what_is_frozen_and_what_is_not_unfrozen_yet_stays_as_it_was_pretrained(tmp_path):
    base = write_base(tmp_path / "base")
    run = finetune(base, tmp_path / "run", freeze="embeddings", unfreeze_every=2, epochs=3)
    paths = moved(base, run)
    assert {path.split("/")[1] for path in paths} == {"block_1", "pooler"}  # the lower block would begin in epoch 5
    assert run.read_report()["trained_parameters"] < run.read_report()["parameters"]


def test_a_frozen_encoder_is_trained_without_rates_that_are_not_known(tmp_path):
    base = write_base(tmp_path / "base")
    run = finetune(base, tmp_path / "run", freeze="encoder", epochs=1)
    assert not moved(base, run)
    report = run.read_report()
    assert report["trained_parameters"] == 32 * 3 + 3
    assert "ceiling_share" not in report["history"][-1] and "model_flop_utilization" not in report["history"][-1]
