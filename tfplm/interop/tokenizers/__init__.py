"""Other projects' tokenizers, read and written."""
