"""A WordPiece tokenizer that cuts most words into characters."""

import unicodedata

from tfplm.tokenizers.configuration import WordPieceConfig
from tfplm.tokenizers.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer

_WORDS = "the cat saw and far too long".split()
_CHARACTERS = [chr(code) for code in range(33, 127) if not chr(code).isupper()] + list("üß北京市人中国我爱")
_CHARACTERS += sorted(set(unicodedata.normalize("NFKD", "서울에서")))  # the tokenizer takes syllables apart
_VOCABULARY = dict.fromkeys([*SPECIAL_TOKENS, *_CHARACTERS, *(f"##{character}" for character in _CHARACTERS), *_WORDS])
TOKENIZER = WordPieceTokenizer([*_VOCABULARY], WordPieceConfig(vocabulary_size=len(_VOCABULARY)))
