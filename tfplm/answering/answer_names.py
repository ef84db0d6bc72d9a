"""Names of the strings that go into an answer and of what comes out, in every format."""

# What goes in; strings (batch,) unless noted.
TEXT = "text"
TEXT_PAIR = "text_pair"
QUESTION = "question"
PASSAGE = "passage"
CONTEXT = "context"
CHOICES = "choices"  # (batch, choices); empty where an example has fewer

# What comes out.
LABEL = "label"
PROBABILITIES = "probabilities"
CLASSES = "classes"
SELECTED = "selected"
SCORE = "score"
EMBEDDING = "embedding"
CHOICE = "choice"

# Of answers that are parts of a passage.
ANSWER = "answer"
START = "start"  # character of the passage
END = "end"  # character behind
NO_ANSWER_SCORE = "no_answer_score"
START_COLUMN = "start_column"  # of a row of token ids
END_COLUMN = "end_column"

# Of answers that are spans of a text.
STARTS = "starts"
ENDS = "ends"
LABELS = "labels"
SCORES = "scores"
SPANS = "spans"
COUNT = "count"
STEPS = "steps"
