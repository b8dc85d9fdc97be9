"""Qwen2 with AWQ weights of 4 bits: config.json and the packed tensors.

Packing: AutoAWQ, WQLinear_GEMM: eight columns in an I32, one zero and scale for 128 rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.fakes.hub.formats.safetensors import Tensor
from tests.fakes.hub.formats.tokenizer import Tokenizer

BITS = 4
GROUP_ROWS = 128
PER_INT32 = 32 // BITS


@dataclass(frozen=True, slots=True, kw_only=True)
class QwenAwq:
    """Embeddings are tied and, as AWQ leaves them, F16."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    tokenizer: Tokenizer

    def config(self) -> dict[str, Any]:
        return {
            "architectures": ["Qwen2ForCausalLM"],
            "attention_dropout": 0.0,
            "bos_token_id": self.tokenizer.bos_id,
            "eos_token_id": self.tokenizer.eos_id,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate,
            "max_position_embeddings": 32768,
            "max_window_layers": self.layers,
            "model_type": "qwen2",
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "quantization_config": {
                "bits": BITS,
                "group_size": GROUP_ROWS,
                "modules_to_not_convert": None,
                "quant_method": "awq",
                "version": "gemm",
                "zero_point": True,
            },
            "rms_norm_eps": 1e-06,
            "rope_theta": 1000000.0,
            "sliding_window": 32768,
            "tie_word_embeddings": True,
            "torch_dtype": "float16",
            "transformers_version": "4.57.1",
            "use_cache": True,
            "use_sliding_window": False,
            "vocab_size": self.tokenizer.vocabulary_size,
        }

    def tensors(self) -> list[Tensor]:
        vocabulary = self.tokenizer.vocabulary_size
        tensors = [Tensor("model.embed_tokens.weight", "F16", (vocabulary, self.hidden))]
        for layer in range(self.layers):
            tensors += self._layer(f"model.layers.{layer}")
        tensors.append(Tensor("model.norm.weight", "F16", (self.hidden,)))
        return tensors

    def _layer(self, prefix: str) -> Iterator[Tensor]:
        hidden, wide = self.hidden, self.intermediate
        kv = self.kv_heads * hidden // self.heads
        for name, rows, columns, bias in (
            ("mlp.down_proj", wide, hidden, False),
            ("mlp.gate_proj", hidden, wide, False),
            ("mlp.up_proj", hidden, wide, False),
            ("self_attn.k_proj", hidden, kv, True),
            ("self_attn.o_proj", hidden, hidden, False),
            ("self_attn.q_proj", hidden, hidden, True),
            ("self_attn.v_proj", hidden, kv, True),
        ):
            yield from _linear(f"{prefix}.{name}", rows, columns)
            if bias:
                yield Tensor(f"{prefix}.{name}.bias", "F16", (columns,))
        for name in ("input_layernorm", "post_attention_layernorm"):
            yield Tensor(f"{prefix}.{name}.weight", "F16", (hidden,))


def _linear(name: str, rows: int, columns: int) -> Iterator[Tensor]:
    groups = rows // GROUP_ROWS
    yield Tensor(f"{name}.qweight", "I32", (rows, columns // PER_INT32))
    yield Tensor(f"{name}.qzeros", "I32", (groups, columns // PER_INT32))
    yield Tensor(f"{name}.scales", "F16", (groups, columns))
