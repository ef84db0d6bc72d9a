"""Names of the strings that go into an answer and of what comes out, in every format."""

# What goes in; strings (batch,).
TEXT = "text"
TEXT_PAIR = "text_pair"

# What comes out.
LABEL = "label"
PROBABILITIES = "probabilities"
CLASSES = "classes"
SELECTED = "selected"
SCORE = "score"
STARTS = "starts"
ENDS = "ends"
LABELS = "labels"
SCORES = "scores"
SPANS = "spans"
COUNT = "count"
STEPS = "steps"
