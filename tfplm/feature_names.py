"""Names of the tensors that pass between the data pipelines, the models and the exports."""

# Inputs of every model. Shapes are (batch, sequence) and dtypes int32 unless noted.
TOKEN_IDS = "token_ids"
SEGMENT_IDS = "segment_ids"  # 0 for the first sentence of a pair, 1 for the second
PACKING_IDS = "packing_ids"  # 0 at padding; tokens see each other where the values are equal
POSITION_IDS = "position_ids"  # restart at 0 with every document of a packed row
PADDING_MASK = "padding_mask"  # bool or int; 0 at padding: what unpacked rows may give instead of packing_ids
EXAMPLE_STARTS = "example_starts"  # (batch, examples): the first column of each example of a packed row; 0: none there
ROW_SEEDS = "row_seeds"  # (batch,): dropout's mask of a row is a function of its seed; without them it is drawn anew

# Masked-language modelling. Shapes are (batch, predictions).
MASK_POSITIONS = "mask_positions"  # column of each prediction in its row
MASKED_LM = "masked_lm"  # output: logits (batch, predictions, vocabulary); target: the original ids

# Next-sentence prediction.
NEXT_SENTENCE = "next_sentence"  # output: logits (batch, 2); target (batch,): 1 where B follows A

# Question answering. Shapes are (batch, sequence).
CONTEXT_MASK = "context_mask"  # input, bool or int: 0 where no answer may stand, such as in the question
START_LOGITS = "start_logits"  # output: logits float; target (batch,): the column of the answer's first token
END_LOGITS = "end_logits"  # output: logits float; target (batch,): the column of the answer's last token

# Multiple choice. Token ids are (batch, choices, sequence).
CHOICE_MASK = "choice_mask"  # input (batch, choices), bool or int: 0 where an example has fewer choices

# Text embeddings. A row of token ids is (batch, texts, sequence) where the texts of pairs are learned from.
EMBEDDINGS = "embeddings"  # output: vectors (batch, texts, dim); target (batch, texts): equal texts have equal numbers
SIMILARITY = "similarity"  # output: cosine (batch,) of the first text with the second; target: what it should be

# Models that write.
DECODER_TOKEN_IDS = "decoder_token_ids"  # (batch, target): what an encoder-decoder's decoder reads, the first one pad
NEXT_TOKEN = "next_token"  # output: logits (batch, sequence, vocabulary); target: the ids shifted by one

# What a model that writes keeps from token to token. Every entry but the index begins with the batch axis.
INDEX = "index"  # scalar: the column of the cache that the next token is written to
START = "start"  # (batch,): the column of each row's first token
SOURCE_MASK = "source_mask"  # (batch, source) bool: False at padding

# What an encoder returns.
SEQUENCE_OUTPUT = "sequence_output"  # (batch, sequence, hidden) float
POOLED_OUTPUT = "pooled_output"  # (batch, hidden) float; (batch, examples, hidden) where example_starts are given
HIDDEN_STATES = "hidden_states"  # list of (batch, sequence, hidden): the embeddings, then every layer
SOURCE_HIDDEN_STATES = "source_hidden_states"  # an encoder-decoder's: those of its encoder
ATTENTION_SCORES = "attention_scores"  # list of (batch, heads, query, key): every layer
