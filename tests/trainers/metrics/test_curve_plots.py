import numpy as np

from trainers.metrics.curve_plots import precision_recall_plot, roc_plot


def test_curves_are_drawn_for_classes_that_some_but_not_all_examples_have(pixels):
    truth = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 1], [0, 0, 1]], bool)
    probabilities = np.array([[0.9, 0.1, 0.5]] * 2 + [[0.2, 0.1, 0.5]] * 2)
    for plot, legend in ((roc_plot, "新闻 (area 0.500)"), (precision_recall_plot, "新闻 (mean 0.500)")):
        picture = plot(truth, probabilities, ["新闻", "never", "always"])
        pixels(picture)
        (entry,) = picture.axes[0].get_legend().get_texts()
        assert entry.get_text() in {legend, legend.replace("新闻", r"\u65b0\u95fb")}
