"""What stands around every prompt of a fine-tuned model, so that a user need not know it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PromptFrame:
    """Text before and behind a prompt.

    Args:
        prefix: of the task, where the model has learned one alone; of several a prompt must name its own.
        separator: tells a decoder that the prompt has ended.
    """

    prefix: str = ""
    separator: str = ""

    def around(self, text: str) -> str:
        """What the model is given."""
        return self.prefix + text + self.separator

    def inside(self, given: str) -> str:
        """The prompt in what the model is given."""
        return given.removeprefix(self.prefix).removesuffix(self.separator)
