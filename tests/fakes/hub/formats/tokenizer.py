"""A made-up byte-level BPE tokenizer of any vocabulary size, in the files that transformers and
GGUF hold of it.

Format: https://github.com/huggingface/tokenizers, the serialisation of BPE and ByteLevel.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product
from typing import Any

# English letters by frequency, so that the first merges are those a trained tokenizer has too.
LETTERS = "etaoinsrhldcumfpgwybvkxjqz"
SPACE = "Ġ"
BOS, EOS, START, END = "<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"
SPECIAL = (BOS, EOS, START, END)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def byte_alphabet() -> list[str]:
    """The 256 printable stand-ins of bytes, as GPT-2 defines them (openai/gpt-2, encoder.py)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + at) for at in range(len(hidden))]


@dataclass(frozen=True)
class Tokenizer:
    """`vocabulary_size` counts the special tokens, which have the last ids."""

    vocabulary_size: int

    @cached_property
    def merges(self) -> list[tuple[str, str]]:
        pairs = list(product(LETTERS, LETTERS))
        candidates = [
            *((SPACE, letter) for letter in LETTERS),
            *pairs,
            *((SPACE + left, right) for left, right in pairs),
            *((left + right, letter) for (left, right), letter in product(pairs, LETTERS)),
        ]
        count = self.vocabulary_size - 256 - len(SPECIAL)
        if not 0 <= count <= len(candidates):
            raise ValueError(f"no vocabulary of {self.vocabulary_size} tokens")
        return list(islice(candidates, count))

    @cached_property
    def tokens(self) -> list[str]:
        return [*byte_alphabet(), *(left + right for left, right in self.merges), *SPECIAL]

    @property
    def bos_id(self) -> int:
        return self.vocabulary_size - len(SPECIAL)

    @property
    def eos_id(self) -> int:
        return self.bos_id + 1

    def document(self) -> dict[str, Any]:
        """tokenizer.json."""
        byte_level = {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        }
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {"id": self.bos_id + at, **_added(token)} for at, token in enumerate(SPECIAL)
            ],
            "normalizer": None,
            "pre_tokenizer": byte_level,
            "post_processor": byte_level,
            "decoder": byte_level,
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "vocab": {token: at for at, token in enumerate(self.tokens[: self.bos_id])},
                "merges": [f"{left} {right}" for left, right in self.merges],
            },
        }

    def config(self) -> dict[str, Any]:
        """tokenizer_config.json."""
        return {
            "added_tokens_decoder": {
                str(self.bos_id + at): _added(token) for at, token in enumerate(SPECIAL)
            },
            "bos_token": BOS,
            "chat_template": CHAT_TEMPLATE,
            "clean_up_tokenization_spaces": False,
            "eos_token": EOS,
            "model_max_length": 4096,
            "tokenizer_class": "PreTrainedTokenizerFast",
        }

    def special_tokens(self) -> dict[str, Any]:
        """special_tokens_map.json."""
        return {"bos_token": BOS, "eos_token": EOS}


def _added(token: str) -> dict[str, Any]:
    return {
        "content": token,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
