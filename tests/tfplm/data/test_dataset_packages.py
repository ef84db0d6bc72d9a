"""Run where the optional packages are installed; nothing is fetched."""

import os

import pytest

from tfplm.data.configuration import CleaningConfig, HuggingFaceSource, TfdsSource
from tfplm.data.sources import read_documents
from tfplm.errors import UserError

CONFIG = CleaningConfig()


def read(source):
    return [(document.text, document.label) for document in read_documents(source, CONFIG)]


@pytest.mark.parametrize("saved_by", ["save_to_disk", "dict", "folder"])
def test_local_hugging_face_datasets_are_read_with_class_names(tmp_path, saved_by, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    dataset = datasets.Dataset.from_dict({"text": [" a b", "c"], "label": [1, 0]}, features=features)
    path = tmp_path / "set"
    if saved_by == "folder":
        path.mkdir()
        dataset.to_parquet(path / "train.parquet")
    elif saved_by == "dict":
        datasets.DatasetDict({"train": dataset}).save_to_disk(path)
    else:
        dataset.save_to_disk(path)
    assert read(HuggingFaceSource(name=str(path), label_column="label")) == [("a b", "yes"), ("c", "no")]
    with pytest.raises(UserError, match="has no column 'labels'"):
        read(HuggingFaceSource(name=str(path), label_column="labels"))


def test_hugging_face_is_offline_only_while_reading(monkeypatch):
    datasets = pytest.importorskip("datasets")
    for name in ("HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    before = datasets.config.HF_HUB_OFFLINE
    with pytest.raises(UserError, match="Set download: true"):
        read(HuggingFaceSource(name="nobody/no_such_dataset"))
    assert before == datasets.config.HF_HUB_OFFLINE
    assert "HF_HUB_OFFLINE" not in os.environ


def test_prepared_tensorflow_datasets_are_read(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("importlib_resources")  # which it needs to write, and does not name among its dependencies
    features = tfds.features.FeaturesDict(
        {
            "text": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=["no", "yes"]),
            "topics": tfds.features.Sequence(tfds.features.ClassLabel(names=["art", "law"])),
        }
    )
    rows = [{"text": " a b", "label": 1, "topics": [0, 1]}, {"text": "中文", "label": 0, "topics": [1]}]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="tiny",
        version="1.0.0",
        features=features,
        split_datasets={"train": enumerate(rows)},
        data_dir=str(tmp_path),
    )
    source = TfdsSource(name="tiny", data_dir=str(tmp_path), label_column="label")
    assert sorted(read(source)) == [("a b", "yes"), ("中文", "no")]
    topics = sorted(read(source.model_copy(update={"label_column": "topics"})))
    assert topics == [("a b", ["art", "law"]), ("中文", ["law"])]
    with pytest.raises(UserError, match="has no column 'body'"):
        read(TfdsSource(name="tiny", data_dir=str(tmp_path), text_column="body"))
