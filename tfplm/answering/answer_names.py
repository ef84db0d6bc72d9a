"""Names of the strings that go into an answer and of what comes out, in every format."""

# What goes in; strings (batch,).
TEXT = "text"
TEXT_PAIR = "text_pair"
QUESTION = "question"
PASSAGE = "passage"

# What comes out.
LABEL = "label"
PROBABILITIES = "probabilities"
CLASSES = "classes"
SELECTED = "selected"
SCORE = "score"
EMBEDDING = "embedding"

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
