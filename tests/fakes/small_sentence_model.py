"""A network of texts with random weights and a vocabulary of a few words."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

WIDTH, LONGEST = 16, 12
WORDS = ("it", "purrs", "barks", "on", "the", "sofa", "and", "wags", "its", "tail")
_SIGNS = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


def write(folder: Path) -> Path:
    """Write a BERT of two layers; sentence-transformers takes the mean of its tokens."""
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    shape = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, max_position_embeddings=LONGEST, **shape
    )
    BertModel(config).save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: number for number, word in enumerate((*_SIGNS.values(), *WORDS))}
    plain = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    plain.pre_tokenizer = Whitespace()
    ends = [(sign, vocabulary[sign]) for sign in ("[CLS]", "[SEP]")]
    plain.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return PreTrainedTokenizerFast(tokenizer_object=plain, model_max_length=LONGEST, **_SIGNS)
