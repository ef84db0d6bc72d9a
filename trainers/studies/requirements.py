"""What studies ask of an experiment before anything is trained."""

from tfplm.data.embedding_configuration import EmbeddingDataConfig
from tfplm.errors import UserError
from tfplm.experiment import ExperimentConfig
from tfplm.finetuning_configuration import EncoderFinetuneConfig
from trainers.task_kinds.registry import kind_of


def require_reported_metric(experiment: ExperimentConfig) -> None:
    """Raises UserError where the experiment goes by the loss, and the figures of its runs have none.

    Training knows the validation loss of every task. What is judged of a trained model has it for some tasks only, and
    on the test nothing else has.

    Args:
        experiment: with its ``finetune`` section.
    """
    finetune = experiment.finetune
    if finetune.validation_metric != "loss" or not isinstance(finetune, EncoderFinetuneConfig):
        return
    if "loss" not in kind_of(finetune).figure_names:
        other = type(finetune).model_fields["validation_metric"].default
        raise UserError(
            f"finetune.validation_metric is loss, and runs of a task '{finetune.task.type}' have no loss in their "
            "figures.",
            "Expected a figure that is known on the test too.",
            f"Set finetune.validation_metric: {other}.",
        )


def require_judging_pairs(experiment: ExperimentConfig, *in_place: str) -> None:
    """Raises UserError where the training data has texts alone, of which no validation and no test can be taken.

    Args:
        experiment: with its ``finetune`` section.
        in_place: of "validation" and "test", what serves where it is given.
    """
    for keys, data in experiment.task_data().items():
        has_texts_alone = isinstance(data, EmbeddingDataConfig) and not data.can_be_split
        if not has_texts_alone or any(getattr(data, name) is not None for name in in_place):
            continue
        path = ".".join(keys)
        raise UserError(
            f"{path}.train has texts alone, by which nothing can be judged.",
            "Expected pairs, of which some are kept to judge by.",
            " or ".join([f"Set {path}.train.text_pair_column", *(f"name {path}.{name}" for name in in_place)]) + ".",
        )
