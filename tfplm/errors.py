"""The one exception that is meant for a person."""


class UserError(Exception):
    """Something the user can mend: the command line prints it without a traceback and exits with 2.

    Args:
        found: what was found, and where ("reviews.csv has no column 'text'").
        expected: what would have been right ("columns found: 'review', 'stars'").
        remedy: what to do ("set finetune.data.train.text_column").
    """

    def __init__(self, found: str, expected: str = "", remedy: str = ""):
        self.found, self.expected, self.remedy = found, expected, remedy
        super().__init__("\n".join(part for part in (found, expected, remedy) if part))
