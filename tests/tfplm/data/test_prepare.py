import io
import os
from pathlib import Path

import pytest

from tfplm.data.configuration import CorpusConfig, TableSource, TextSource
from tfplm.data.prepare import prepare_corpus, train_tokenizer
from tfplm.data.shards import TokenShards
from tfplm.data.sources import text_digest
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.progress import Progress
from tfplm.tokenizers.bytes import ByteTokenizer
from tfplm.tokenizers.configuration import BytesConfig, SentencePieceConfig, WordPieceConfig
from tfplm.tokenizers.sentencepiece_training import train_sentencepiece
from tfplm.tokenizers.training import train_wordpiece

WORDS = "people nation peace law trade land river army treaty congress 人民 国家".split()


def document(number, num_sentences=4):
    sentences = (
        f"The {WORDS[(number + i) % 12]} of {number} met the {WORDS[number * i % 12]}." for i in range(num_sentences)
    )
    return "\n\n".join(sentences)


@pytest.fixture(scope="module")
def tokenizer():
    return train_wordpiece([document(i) for i in range(300)], WordPieceConfig(vocabulary_size=90))


def write_files(folder, texts):
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number:04d}.txt").write_text(text, encoding="utf-8")
    return CorpusConfig(sources=[TextSource(paths=[f"{folder}/*.txt"])])


def prepare(corpus, tokenizer, output, held_out=(), seed=0, progress=None):
    output.mkdir()
    figures = prepare_corpus(corpus, tokenizer, output, set(held_out), seed, progress or Progress.silent())
    return figures, *(TokenShards.open(output / "shards" / name) for name in ("train", "validation"))


def texts_of(shards, tokenizer):
    starts = shards.document_starts_tokens
    return [tokenizer.decode(shards.tokens(starts[i], starts[i + 1])) for i in range(shards.num_documents)]


def round_trip(text, tokenizer):
    return tokenizer.decode(tokenizer.encode([text])[0])


def test_every_document_is_in_the_shards_once(tmp_path, tokenizer):
    texts = [document(i) for i in range(60)]
    corpus = write_files(tmp_path / "texts", texts).model_copy(update={"tokens_per_shard": 500})
    figures, train, validation = prepare(corpus, tokenizer, tmp_path / "out")
    expected = [round_trip(text, tokenizer) for text in texts]
    found_train, found_validation = texts_of(train, tokenizer), texts_of(validation, tokenizer)
    assert sorted(found_train + found_validation) == sorted(expected)
    assert len(found_train) > len(found_validation) > 0
    assert len(list((tmp_path / "out/shards/train").glob("*.tokens.npy"))) > 2
    assert figures["documents"] == 60
    assert figures["tokens"] == train.num_tokens + validation.num_tokens


def test_sentences_are_encoded_one_by_one_without_special_tokens(tmp_path, tokenizer):
    corpus = write_files(tmp_path / "texts", ["Peace. The law!\n\n人民。国家", "The army of the land."])
    corpus = corpus.model_copy(update={"validation_fraction": 0.0})
    _, train, validation = prepare(corpus, tokenizer, tmp_path / "out")
    starts = train.sentence_starts_tokens
    found = [train.tokens(starts[i], starts[i + 1]).tolist() for i in range(train.num_sentences)]
    sentences = ["Peace.", "The law!", "人民。", "国家", "The army of the land."]
    assert found == [ids.tolist() for ids in tokenizer.encode(sentences)]
    assert train.document_first_sentence.tolist() == [0, 4, 5]
    assert (train.num_documents, validation.num_documents) == (2, 0)


def test_large_documents_keep_their_order_through_many_batches(tmp_path, tokenizer):
    texts = [document(number, num_sentences=30_000) for number in (3, 7, 8)]  # 1 MB each
    corpus = write_files(tmp_path / "texts", texts).model_copy(update={"validation_fraction": 0.0})
    _, train, _ = prepare(corpus, tokenizer, tmp_path / "out")
    expected = [token for text in texts for token in tokenizer.encode([text])[0].tolist()]
    assert train.tokens(0, train.num_tokens).tolist() == expected
    assert train.num_sentences == 90_000


def test_figures_count_what_was_read(tmp_path, tokenizer):
    texts = [document(i) for i in range(20)]
    figures, *_ = prepare(write_files(tmp_path / "texts", texts), tokenizer, tmp_path / "out")
    assert figures["characters"] == sum(map(len, texts))
    assert figures["bytes"] == sum(len(text.encode()) for text in texts)
    assert figures["sentences"] == 80
    assert figures["seconds"] > 0
    assert figures["megabytes_per_second"] == pytest.approx(figures["bytes"] / 1e6 / figures["seconds"])
    assert figures["unknown_token_rate"] == 0.0
    assert figures["validation_bytes"] in {len(text.encode()) for text in texts}  # one document


def test_unknown_tokens_are_counted(tmp_path, tokenizer):
    figures, *_ = prepare(write_files(tmp_path / "texts", ["ጤና the the the"]), tokenizer, tmp_path / "out")
    assert figures["unknown_token_rate"] == 0.25


def test_two_runs_write_the_same_bytes(tmp_path, tokenizer):
    corpus = write_files(tmp_path / "texts", [document(i) for i in range(40)])
    for name in ("one", "two"):
        prepare(corpus, tokenizer, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 8
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_the_choice_of_validation_documents_depends_on_the_seed_and_not_on_other_documents(tmp_path, tokenizer):
    texts = [document(i) for i in range(80)]
    few = write_files(tmp_path / "few", texts[:60]).model_copy(update={"validation_fraction": 0.2})
    many = write_files(tmp_path / "many", texts).model_copy(update={"validation_fraction": 0.2})
    chosen = {}
    for name, corpus, seed in (("few", few, 0), ("many", many, 0), ("seeded", few, 1)):
        _, _, validation = prepare(corpus, tokenizer, tmp_path / f"out-{name}", seed=seed)
        chosen[name] = set(texts_of(validation, tokenizer))
    assert chosen["few"] == chosen["many"] & {round_trip(text, tokenizer) for text in texts[:60]}
    assert chosen["seeded"] != chosen["few"]
    assert 4 <= len(chosen["few"]) <= 20


def test_a_small_corpus_still_has_a_validation_document(tmp_path, tokenizer):
    corpus = write_files(tmp_path / "texts", [document(i) for i in range(12)])
    for seed in range(5):
        figures, train, validation = prepare(corpus, tokenizer, tmp_path / f"out{seed}", seed=seed)
        assert (train.num_documents, validation.num_documents) == (11, 1)
        assert figures["validation_documents"] == 1
        assert figures["validation_tokens"] == validation.num_tokens


def test_of_an_only_document_the_last_sentences_are_for_validation(tmp_path, tokenizer):
    text = document(5, num_sentences=50)
    corpus = write_files(tmp_path / "texts", [text]).model_copy(update={"validation_fraction": 0.1})
    _, train, validation = prepare(corpus, tokenizer, tmp_path / "out")
    assert (train.num_sentences, validation.num_sentences) == (45, 5)
    found = " ".join(texts_of(train, tokenizer) + texts_of(validation, tokenizer))
    assert found == round_trip(text, tokenizer)


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("num_documents", [1, 2, 3])
def test_neither_part_is_empty_however_few_documents_there_are(tmp_path, tokenizer, fraction, num_documents):
    corpus = write_files(tmp_path / "texts", [document(i) for i in range(num_documents)])
    corpus = corpus.model_copy(update={"validation_fraction": fraction})
    for seed in range(4):
        figures, train, validation = prepare(corpus, tokenizer, tmp_path / f"out{seed}", seed=seed)
        assert train.num_tokens > 0
        assert validation.num_tokens > 0
        assert figures["sentences"] == 4 * num_documents


def test_a_corpus_of_one_sentence_is_for_training(tmp_path, tokenizer):
    figures, train, _ = prepare(write_files(tmp_path / "texts", ["The law."]), tokenizer, tmp_path / "out")
    assert train.num_documents == 1
    assert figures["validation_documents"] == figures["validation_tokens"] == 0


VERSE = "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\n"
CHINESE = "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n\n"
ENGLISH = "The law of the land. Mr. Adams met the people; they spoke!\n"


def many(text, count):
    """The same with other numbers in it, clean."""
    return "".join(f"{number} {text}" for number in range(count)).strip()


@pytest.fixture(scope="module", params=["bytes", "unigram", "bpe"])
def lossless(request):
    if request.param == "bytes":
        return ByteTokenizer(BytesConfig())
    texts = [VERSE, CHINESE, ENGLISH] * 9 + [document(i) for i in range(100)]
    return train_sentencepiece(texts, SentencePieceConfig(model=request.param, vocabulary_size=290))


def test_documents_come_back_exactly_from_a_lossless_tokenizer(tmp_path, lossless):
    texts = [many(text, count) for text in (VERSE, CHINESE, ENGLISH) for count in range(10, 14)] + [
        "👨‍👩‍👧 ▁ x",
        "e\n\nf",
    ]
    corpus = write_files(tmp_path / "texts", texts).model_copy(update={"validation_fraction": 0.3})
    figures, train, validation = prepare(corpus, lossless, tmp_path / "out")
    moved = texts_of(validation, lossless)
    assert sorted(texts_of(train, lossless) + moved) == sorted(texts)
    assert figures["validation_bytes"] == len("".join(moved).encode()) > 0
    assert figures["bytes"] == len("".join(texts).encode())
    assert figures["sentences"] == sum(text.count("\n") + 1 for text in texts)
    assert figures["unknown_token_rate"] == 0.0


@pytest.mark.parametrize("text", [many(VERSE, 200), many(CHINESE, 200), "一行" * 3000], ids=["verse", "poem", "line"])
def test_of_an_only_document_the_last_bytes_are_for_validation(tmp_path, lossless, text):
    corpus = write_files(tmp_path / "texts", [text]).model_copy(update={"validation_fraction": 0.1})
    figures, train, validation = prepare(corpus, lossless, tmp_path / "out")
    (beginning,), (end,) = texts_of(train, lossless), texts_of(validation, lossless)
    assert beginning + end == text
    assert beginning.endswith("\n") or "\n" not in text
    assert figures["validation_bytes"] == len(end.encode()) == pytest.approx(0.1 * len(text.encode()), abs=40)


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("num_documents", [1, 2, 3])
def test_neither_part_is_empty_with_a_lossless_tokenizer(tmp_path, fraction, num_documents):
    texts = [document(number) for number in range(num_documents)]
    corpus = write_files(tmp_path / "texts", texts).model_copy(update={"validation_fraction": fraction})
    for seed in range(4):
        output = tmp_path / f"out{seed}"
        _, train, validation = prepare(corpus, ByteTokenizer(BytesConfig()), output, seed=seed)
        assert min(train.num_tokens, validation.num_tokens) > 0
        assert train.num_tokens + validation.num_tokens == len("".join(texts).encode())


def test_repeated_documents_are_dropped_and_counted(tmp_path, tokenizer):
    corpus = write_files(tmp_path / "texts", [document(i % 10) for i in range(30)])
    figures, *_ = prepare(corpus, tokenizer, tmp_path / "out")
    assert (figures["documents"], figures["repeated_documents"]) == (10, 20)
    kept = corpus.model_copy(update={"drop_repeated_documents": False})
    figures, *_ = prepare(kept, tokenizer, tmp_path / "kept")
    assert (figures["documents"], figures["repeated_documents"]) == (30, 0)


def test_rows_of_one_group_are_not_taken_for_repeats(tmp_path, tokenizer):
    path = tmp_path / "table.csv"
    path.write_text("text,writer\nThe law.,a\nThe peace.,a\nThe law.,b\n")
    corpus = CorpusConfig(sources=[TableSource(paths=[str(path)], group_column="writer")], validation_fraction=0.0)
    figures, train, _ = prepare(corpus, tokenizer, tmp_path / "out")
    assert texts_of(train, tokenizer) == ["the law.", "the peace."]
    assert figures["repeated_documents"] == 1


def test_held_out_documents_are_not_in_the_shards(tmp_path, tokenizer):
    texts = [document(i) for i in range(20)]
    corpus = write_files(tmp_path / "texts", texts)
    held_out = {text_digest(text) for text in texts[:5]}
    figures, train, validation = prepare(corpus, tokenizer, tmp_path / "out", held_out)
    found = set(texts_of(train, tokenizer) + texts_of(validation, tokenizer))
    assert found == {round_trip(text, tokenizer) for text in texts[5:]}
    assert (figures["documents"], figures["held_out_documents"]) == (15, 5)


def test_held_out_texts_are_known_where_the_corpus_has_groups_of_its_own(tmp_path, tokenizer):
    texts = [document(i).replace("\n", " ") for i in range(8)]
    rows = "\n".join(f"{text},author {number % 3}" for number, text in enumerate(texts))
    (tmp_path / "a.csv").write_text(f"text,author\n{rows}\n", encoding="utf-8")
    corpus = CorpusConfig(sources=[TableSource(paths=[str(tmp_path / "a.csv")], group_column="author")])
    held_out = {text_digest(" ".join(text.split())) for text in texts[:3]}
    figures, *_ = prepare(corpus, tokenizer, tmp_path / "out", held_out)
    assert (figures["documents"], figures["held_out_documents"]) == (5, 3)


def test_a_corpus_that_is_held_out_whole_is_a_user_error(tmp_path, tokenizer):
    texts = [document(i) for i in range(3)]
    corpus = write_files(tmp_path / "texts", texts)
    with pytest.raises(UserError, match="all 3 documents are held out"):
        prepare(corpus, tokenizer, tmp_path / "out", {text_digest(text) for text in texts})


def test_a_corpus_without_text_is_a_user_error(tmp_path, tokenizer):
    with pytest.raises(UserError, match="no text"):
        prepare(write_files(tmp_path / "texts", ["", " \n"]), tokenizer, tmp_path / "out")


def test_an_error_in_a_later_file_leaves_no_shards_that_open(tmp_path, tokenizer):
    corpus = write_files(tmp_path / "texts", [document(i, 3000) for i in range(12)])
    (tmp_path / "texts" / "zzzz.txt").write_bytes(b"\x00\x01\x02 binary")
    with pytest.raises(UserError, match="binary"):
        prepare(corpus, tokenizer, tmp_path / "out")
    with pytest.raises(UserError, match="does not hold whole token shards"):
        TokenShards.open(tmp_path / "out/shards/train")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_a_user_error_that_says_how_much_is_needed(tmp_path, tokenizer):
    corpus = write_files(tmp_path / "texts", [document(i, 3000) for i in range(60)])
    folder = tmp_path / "out/shards/train"
    folder.mkdir(parents=True)
    os.symlink("/dev/full", folder / "00000.tokens.npy")
    with pytest.raises(UserError, match=r"No space is left .*\n.* about \d+ MB in all"):
        prepare_corpus(corpus, tokenizer, tmp_path / "out", set(), 0, Progress.silent())


def test_progress_tells_megabytes(tmp_path, tokenizer):
    stream = io.StringIO()
    corpus = write_files(tmp_path / "texts", [document(i, 300) for i in range(40)])
    prepare(corpus, tokenizer, tmp_path / "out", progress=Progress(stream))
    assert "preparing the corpus: " in stream.getvalue()
    assert "MB" in stream.getvalue()


def experiment(corpus, size):
    return ExperimentConfig(output_dir="runs", corpus=corpus, tokenizer=WordPieceConfig(vocabulary_size=size))


def test_the_tokenizer_is_trained_on_the_corpus_less_what_is_held_out(tmp_path):
    secret = "zebra zebra zebra"
    corpus = write_files(tmp_path / "texts", [*(document(i) for i in range(50)), secret])
    with_secret = train_tokenizer(experiment(corpus, 85), set(), Progress.silent())
    without = train_tokenizer(experiment(corpus, 85), {text_digest(secret)}, Progress.silent())
    assert "##z" not in "".join(without.vocabulary) and "z" not in without.vocabulary
    assert any("z" in token for token in with_secret.vocabulary)


def test_a_tokenizer_needs_a_corpus():
    with pytest.raises(UserError, match="no corpus"):
        train_tokenizer(ExperimentConfig(output_dir="runs"), set(), Progress.silent())


def test_bytes_need_no_reading(tmp_path):
    nothing = CorpusConfig(sources=[TextSource(paths=[str(tmp_path / "absent.txt")])])
    config = ExperimentConfig(output_dir="runs", corpus=nothing).model_copy(update={"tokenizer": BytesConfig()})
    assert train_tokenizer(config, set(), Progress.silent()).vocabulary_size == 260
