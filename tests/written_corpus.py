"""Text files and a labelled table that tests write: small, made up, and learnable."""

import csv
import random
from pathlib import Path

TOPICS = {
    "weather": ["rain", "storm", "cloud", "wind", "snow", "sunny", "frost", "thunder"],
    "kitchen": ["soup", "bread", "butter", "oven", "knife", "salt", "onion", "recipe"],
    "harbour": ["ship", "anchor", "sailor", "cargo", "crane", "dock", "captain", "rope"],
}
_FILLERS = ["the", "a", "we", "saw", "and", "then", "near", "with", "old", "new", "today", "again"]


def sentence(topic: str, rng: random.Random) -> str:
    words = [rng.choice(_FILLERS if rng.random() < 0.5 else TOPICS[topic]) for _ in range(rng.randint(5, 12))]
    return " ".join(words).capitalize() + "."


def write_corpus(folder: Path, num_files: int = 12, seed: int = 0) -> str:
    """Writes text files of several paragraphs; returns their glob."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(num_files):
        topic = list(TOPICS)[index % len(TOPICS)]
        paragraphs = [" ".join(sentence(topic, rng) for _ in range(6)) for _ in range(5)]
        (folder / f"{index:02d}-{topic}.txt").write_text("\n\n".join(paragraphs), encoding="utf-8")
    return str(folder / "*.txt")


def write_table(path: Path, per_class: int = 30, seed: int = 1) -> Path:
    """Writes a CSV with the columns text and label."""
    rng = random.Random(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for topic in TOPICS:
            writer.writerows([sentence(topic, rng), topic] for _ in range(per_class))
    return path


def write_pairs(path: Path, target: str, count: int = 60, seed: int = 2) -> Path:
    """Writes a TSV with the columns source, different short texts, and target, the same for all."""
    rng = random.Random(seed)
    words = [word for topic in TOPICS.values() for word in topic]
    sources = {" ".join(rng.sample(words, 2)): None for _ in range(4 * count)}
    path.write_text("source\ttarget\n" + "".join(f"{text}\t{target}\n" for text in list(sources)[:count]), "utf-8")
    return path
