"""Which answerer serves which task."""

from collections.abc import Sequence

from tfplm.answering.answer_names import TEXT, TEXT_PAIR
from tfplm.answering.answerer import Answerer
from tfplm.answering.multiple_choice import ChoiceAnswerer
from tfplm.answering.question_answering import QuestionAnswerer
from tfplm.answering.text_classification import ClassificationAnswerer
from tfplm.answering.text_embedding import EmbeddingAnswerer
from tfplm.answering.text_regression import RegressionAnswerer
from tfplm.answering.text_rows import TextAnswerer
from tfplm.answering.token_classification import TaggingAnswerer
from tfplm.errors import UserError
from tfplm.tasks.task import Task
from tfplm.tokenizers.tokenizer import Tokenizer

_ANSWERERS: dict[str, type[Answerer]] = {
    "text_classification": ClassificationAnswerer,
    "token_classification": TaggingAnswerer,
    "text_embedding": EmbeddingAnswerer,
    "text_regression": RegressionAnswerer,
    "question_answering": QuestionAnswerer,
    "multiple_choice": ChoiceAnswerer,
}


def answerer_for(task: Task, tokenizer: Tokenizer, sequence_length: int, inputs: Sequence[str] = (TEXT,)) -> Answerer:
    """The answerer of a task.

    Args:
        task: any task that answers strings without writing text.
        tokenizer: that it was trained with.
        sequence_length: columns of a row of token ids, special ones included.
        inputs: the strings that an answer is made of, where the task leaves that open: a text, or a pair.

    Raises:
        UserError: the task is of another kind.
    """
    answerer = _ANSWERERS.get(task.task_type)
    if answerer is None:
        raise UserError(
            f"The task is '{task.task_type}'.", f"Expected a model that writes, or one of {', '.join(_ANSWERERS)}."
        )
    if issubclass(answerer, TextAnswerer):
        return answerer(task, tokenizer, sequence_length, is_pair=TEXT_PAIR in inputs)
    return answerer(task, tokenizer, sequence_length)
