"""The Llama architecture: from one set of numbers its config.json, its tensors, and its GGUF
conversions.

Tensor names: transformers modeling_llama.py and llama.cpp gguf-py constants.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.fakes.hub.formats import gguf, safetensors
from tests.fakes.hub.formats.gguf import Kind
from tests.fakes.hub.formats.tokenizer import BOS, CHAT_TEMPLATE, EOS, Tokenizer

CONTEXT_TOKENS = 4096
NORM_EPSILON = 1e-05
ROPE_THETA = 500000.0
TOKEN_NORMAL, TOKEN_CONTROL = 1, 3


class Quantisation(StrEnum):
    """The value is the name in file names."""

    Q4_K_M = "Q4_K_M"
    Q8_0 = "Q8_0"

    @property
    def file_type(self) -> int:
        """general.file_type, from llama.h."""
        return {Quantisation.Q4_K_M: 15, Quantisation.Q8_0: 7}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Llama:
    """Embeddings are not tied."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    tokenizer: Tokenizer

    @property
    def head_dim(self) -> int:
        return self.hidden // self.heads

    @property
    def vocabulary(self) -> int:
        return self.tokenizer.vocabulary_size

    @property
    def parameters(self) -> int:
        return sum(tensor.count for tensor in self.tensors())

    def config(self) -> dict[str, Any]:
        return {
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": self.tokenizer.bos_id,
            "eos_token_id": self.tokenizer.eos_id,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate,
            "max_position_embeddings": CONTEXT_TOKENS,
            "mlp_bias": False,
            "model_type": "llama",
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "pretraining_tp": 1,
            "rms_norm_eps": NORM_EPSILON,
            "rope_scaling": None,
            "rope_theta": ROPE_THETA,
            "tie_word_embeddings": False,
            "torch_dtype": "bfloat16",
            "transformers_version": "4.57.1",
            "use_cache": True,
            "vocab_size": self.vocabulary,
        }

    def tensors(self) -> list[safetensors.Tensor]:
        table = self._layer_table()
        embedding = (self.vocabulary, self.hidden)
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": embedding}
        for layer in range(self.layers):
            for name, (_, shape) in table.items():
                shapes[f"model.layers.{layer}.{name}.weight"] = shape
        shapes["model.norm.weight"] = (self.hidden,)
        shapes["lm_head.weight"] = embedding
        return [safetensors.Tensor(name, "BF16", shape) for name, shape in shapes.items()]

    def gguf_tensors(self, quantisation: Quantisation) -> list[gguf.Tensor]:
        embedding = (self.hidden, self.vocabulary)
        q8 = quantisation is Quantisation.Q8_0
        tensors = [gguf.Tensor("token_embd.weight", Kind.Q8_0 if q8 else Kind.Q4_K, embedding)]
        for layer in range(self.layers):
            tensors += self._gguf_layer(layer, q8=q8)
        tensors.append(gguf.Tensor("output_norm.weight", Kind.F32, (self.hidden,)))
        tensors.append(gguf.Tensor("output.weight", Kind.Q8_0 if q8 else Kind.Q6_K, embedding))
        return tensors

    def gguf_metadata(self, quantisation: Quantisation, *, name: str) -> dict[str, gguf.Value]:
        tokenizer = self.tokenizer
        normal, control = [TOKEN_NORMAL] * tokenizer.bos_id, self.vocabulary - tokenizer.bos_id
        return {
            "general.architecture": "llama",
            "general.type": "model",
            "general.name": name,
            "general.size_label": f"{self.parameters / 1e6:.0f}M",
            "general.license": "apache-2.0",
            "llama.block_count": self.layers,
            "llama.context_length": CONTEXT_TOKENS,
            "llama.embedding_length": self.hidden,
            "llama.feed_forward_length": self.intermediate,
            "llama.attention.head_count": self.heads,
            "llama.attention.head_count_kv": self.kv_heads,
            "llama.rope.freq_base": ROPE_THETA,
            "llama.attention.layer_norm_rms_epsilon": NORM_EPSILON,
            "llama.vocab_size": self.vocabulary,
            "llama.rope.dimension_count": self.head_dim,
            "general.file_type": quantisation.file_type,
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "llama-bpe",
            "tokenizer.ggml.tokens": tokenizer.tokens,
            "tokenizer.ggml.token_type": [*normal, *([TOKEN_CONTROL] * control)],
            "tokenizer.ggml.merges": [f"{left} {right}" for left, right in tokenizer.merges],
            "tokenizer.ggml.bos_token_id": tokenizer.bos_id,
            "tokenizer.ggml.eos_token_id": tokenizer.eos_id,
            "tokenizer.ggml.add_bos_token": True,
            "tokenizer.chat_template": CHAT_TEMPLATE,
            "general.quantization_version": 2,
        }

    def hub_summary(self) -> dict[str, object]:
        """What the hub shows of the GGUF header under `gguf`."""
        return {
            "total": self.parameters,
            "architecture": "llama",
            "context_length": CONTEXT_TOKENS,
            "chat_template": CHAT_TEMPLATE,
            "bos_token": BOS,
            "eos_token": EOS,
        }

    def _layer_table(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """By transformers name: the GGUF name and the shape, rows first."""
        hidden, wide = self.hidden, self.intermediate
        kv = self.kv_heads * self.head_dim
        return {
            "input_layernorm": ("attn_norm", (hidden,)),
            "mlp.down_proj": ("ffn_down", (hidden, wide)),
            "mlp.gate_proj": ("ffn_gate", (wide, hidden)),
            "mlp.up_proj": ("ffn_up", (wide, hidden)),
            "post_attention_layernorm": ("ffn_norm", (hidden,)),
            "self_attn.k_proj": ("attn_k", (kv, hidden)),
            "self_attn.o_proj": ("attn_output", (hidden, hidden)),
            "self_attn.q_proj": ("attn_q", (hidden, hidden)),
            "self_attn.v_proj": ("attn_v", (kv, hidden)),
        }

    def _gguf_layer(self, layer: int, *, q8: bool) -> Iterator[gguf.Tensor]:
        for name, shape in self._layer_table().values():
            if len(shape) == 1:
                kind = Kind.F32
            elif q8:
                kind = Kind.Q8_0
            elif name in ("attn_v", "ffn_down") and self._more_bits(layer):
                kind = Kind.Q6_K
            else:
                kind = Kind.Q4_K
            yield gguf.Tensor(f"blk.{layer}.{name}.weight", kind, shape[::-1])

    def _more_bits(self, layer: int) -> bool:
        """The layers that Q4_K_M keeps wider: use_more_bits in llama-quant.cpp."""
        eighth = self.layers // 8
        return layer < eighth or layer >= 7 * self.layers // 8 or (layer - eighth) % 3 == 2
