"""A learning curve as a picture, and in TensorBoard."""

import shutil
from pathlib import Path

from trainers.studies.curve import Curve
from trainers.studies.figures import SPLITS, Measure
from trainers.tensorboard import TensorBoardLog


def plot_curves(path: Path, curves: dict[str, dict[str, Curve]], measure: Measure, unit: str) -> None:
    """Mean and standard deviation by number of labels: lines for the test, dashed for validation."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    picture, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for split, style in zip(SPLITS, ("--", "-"), strict=True):
        for index, (name, curve) in enumerate(curves[split].items()):
            means = [curve.mean(size) for size in curve.sizes]
            axes.plot(curve.sizes, means, style, marker="o", markersize=3, color=f"C{index}", label=f"{name}, {split}")
            if split == "test" or not curves["test"]:
                spreads = [curve.spread(size) or 0.0 for size in curve.sizes]
                low, high = ([m + sign * s for m, s in zip(means, spreads, strict=True)] for sign in (-1, 1))
                axes.fill_between(curve.sizes, low, high, color=f"C{index}", alpha=0.2, linewidth=0)
                for size in curve.sizes:
                    values = curve.figures[size]["values"]
                    axes.plot([size] * len(values), values, ".", color=f"C{index}", alpha=0.5, markersize=4)
    sizes = sorted({size for of_split in curves.values() for curve in of_split.values() for size in curve.sizes})
    axes.set(xscale="log", xlabel=unit, ylabel=measure.in_words, title="Mean and standard deviation")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    if sizes:
        axes.legend()
    picture.savefig(path, dpi=120)
    pyplot.close(picture)


def show_in_tensorboard(folder: Path, curves: dict[str, dict[str, Curve]], measure: Measure) -> None:
    """One log a candidate, where the step is the number of labels."""
    shutil.rmtree(folder, ignore_errors=True)
    for split, of_split in curves.items():
        for name, curve in of_split.items():
            log = TensorBoardLog(folder / name)
            for size in curve.sizes:
                tag = f"learning_curve/{split}_{measure.name}"
                spread = curve.spread(size)
                log.scalars(size, {tag: curve.mean(size)} | ({f"{tag}_spread": spread} if spread is not None else {}))
            log.close()
