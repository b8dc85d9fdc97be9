"""The demo repositories are what they say: their headers, configurations and cards agree."""

import json
import struct
from pathlib import Path

import pytest
import yaml
from huggingface_hub import HfApi

from tests.fakes.hub import HubDouble, demo, realmodel
from tests.fakes.hub.wire import fetch

BLOCKS = {0: (1, 4), 8: (32, 34), 12: (256, 144), 14: (256, 210)}
SCALARS = {4: "I", 5: "i", 6: "f", 7: "?"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    demo.repositories(folder)
    return folder


@pytest.fixture
def demo_api(data: Path):
    with HubDouble(demo.repositories(data)) as hub:
        yield HfApi(endpoint=hub.endpoint, token=False)


def read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_search_shows_the_public_ones_by_downloads(demo_api: HfApi):
    assert [(model.id, model.gated) for model in demo_api.list_models(full=True)] == [
        ("acme/tiny-llama", False),
        ("acme/tiny-llama-gguf", False),
        ("acme/tiny-qwen-awq", False),
        ("acme/gated-llama", "manual"),
    ]
    private = demo_api.model_info("acme/private-llama", token="hf_good")
    assert private.private


def test_llama_tensors_are_those_of_its_configuration(demo_api: HfApi, data: Path):
    config = read_json(data / "acme/tiny-llama/config.json")
    found = demo_api.get_safetensors_metadata("acme/tiny-llama")
    hidden, wide, layers = (
        config[key] for key in ("hidden_size", "intermediate_size", "num_hidden_layers")
    )
    kv = config["num_key_value_heads"] * config["head_dim"]
    layer = 2 * hidden * hidden + 2 * kv * hidden + 3 * hidden * wide + 2 * hidden
    total = layers * layer + hidden + 2 * config["vocab_size"] * hidden
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert found.parameter_count == {"BF16": total}
    assert total == 31_465_984
    assert len(found.files_metadata) == 2
    tensors = {
        name: tensor
        for file in found.files_metadata.values()
        for name, tensor in file.tensors.items()
    }
    assert len(tensors) == 9 * layers + 3
    assert tensors.keys() == found.weight_map.keys()
    assert list(tensors["model.layers.7.self_attn.k_proj.weight"].shape) == [kv, hidden]
    ends = [
        max(tensor.data_offsets[1] for tensor in file.tensors.values())
        for file in found.files_metadata.values()
    ]
    assert sum(ends) == found.metadata["total_size"] == 2 * total


def test_awq_tensors_are_packed_in_fours_of_bits(demo_api: HfApi, data: Path):
    config = read_json(data / "acme/tiny-qwen-awq/config.json")
    tensors = (
        demo_api.get_safetensors_metadata("acme/tiny-qwen-awq")
        .files_metadata["model.safetensors"]
        .tensors
    )
    assert config["quantization_config"]["quant_method"] == "awq"
    hidden, wide = config["hidden_size"], config["intermediate_size"]
    up = "model.layers.0.mlp.up_proj"
    group = config["quantization_config"]["group_size"]
    assert {
        name.rpartition(".")[2]: (t.dtype, list(t.shape))
        for name, t in tensors.items()
        if up in name
    } == {
        "qweight": ("I32", [hidden, wide // 8]),
        "qzeros": ("I32", [hidden // group, wide // 8]),
        "scales": ("F16", [hidden // group, wide]),
    }
    assert "model.layers.0.self_attn.v_proj.bias" in tensors
    assert "model.layers.0.self_attn.o_proj.bias" not in tensors
    assert "lm_head.weight" not in tensors


@pytest.mark.parametrize(
    ("name", "file_type", "kinds", "wider_layers"),
    [("Q4_K_M", 15, {0, 12, 14}, [0, 3, 6, 7]), ("Q8_0", 7, {0, 8}, [])],
)
def test_gguf_header_describes_the_whole_file(data: Path, name, file_type, kinds, wider_layers):
    path = data / f"acme/tiny-llama-gguf/tiny-llama-{name}.gguf"
    metadata, tensors, start = read_gguf(path.read_bytes())
    assert metadata["general.architecture"] == "llama"
    assert metadata["general.file_type"] == file_type
    assert metadata["llama.block_count"] == 8
    assert len(metadata["tokenizer.ggml.tokens"]) == metadata["llama.vocab_size"] == 6144
    assert len(metadata["tokenizer.ggml.token_type"]) == 6144
    assert metadata["tokenizer.ggml.tokens"][metadata["tokenizer.ggml.eos_token_id"]] == (
        "<|end_of_text|>"
    )
    assert {kind for kind, _, _ in tensors.values()} == kinds
    assert tensors["blk.0.attn_k.weight"][1] == (512, 256)
    six_bits = [layer for layer in range(8) if tensors[f"blk.{layer}.ffn_down.weight"][0] == 14]
    assert six_bits == wider_layers
    assert sum(count(dimensions) for _, dimensions, _ in tensors.values()) == 31_465_984
    at = start
    for kind, dimensions, offset in tensors.values():
        elements, block_bytes = BLOCKS[kind]
        assert start + offset == at
        at += -(-count(dimensions) // elements * block_bytes // 32) * 32
    assert at == path.stat().st_size


def test_gguf_summary_of_the_hub_is_that_of_the_file(demo_api: HfApi):
    info = demo_api.model_info("acme/tiny-llama-gguf", expand=["gguf", "tags"])
    assert (info.gguf["total"], info.gguf["architecture"]) == (31_465_984, "llama")
    assert "base_model:quantized:acme/tiny-llama" in info.tags


def test_tokenizer_has_every_part_and_product_of_its_merges(data: Path):
    for repository_id in ("acme/tiny-llama", "acme/tiny-qwen-awq", "acme/gated-llama"):
        tokenizer = read_json(data / repository_id / "tokenizer.json")
        config = read_json(data / repository_id / "config.json")
        vocabulary = tokenizer["model"]["vocab"]
        special = [token["id"] for token in tokenizer["added_tokens"]]
        assert sorted([*vocabulary.values(), *special]) == list(range(config["vocab_size"]))
        for merge in tokenizer["model"]["merges"]:
            left, right = merge.split(" ")
            assert {left, right, left + right} <= vocabulary.keys()
        assert config["eos_token_id"] in special


def test_card_agrees_with_the_tags(demo_api: HfApi, data: Path):
    for model in demo_api.list_models(cardData=True):
        readme = (data / model.id / "README.md").read_text()
        front = yaml.safe_load(readme.split("---\n")[1])
        assert front["license"] == model.card_data.license == "apache-2.0"
        assert front["library_name"] == model.library_name
        assert "license:apache-2.0" in model.tags


def test_content_is_written_once_and_the_same_everywhere(data: Path, tmp_path: Path):
    shard = data / "acme/tiny-llama/model-00001-of-00002.safetensors"
    written_at = shard.stat().st_mtime_ns
    with HubDouble(demo.repositories(data)) as one, HubDouble(demo.repositories(tmp_path)) as two:
        lists = [fetch(f"{hub.endpoint}/api/models?full=1").json() for hub in (one, two)]
    assert lists[0] == lists[1]
    assert len(lists[0]) == 4
    assert shard.stat().st_mtime_ns == written_at


def test_real_model_says_how_to_fetch_it(tmp_path: Path):
    with pytest.raises(realmodel.ModelNotFetched, match="run scripts/testmodel"):
        realmodel.minilm(tmp_path)


@pytest.mark.skipif(not realmodel.FOLDER.is_dir(), reason="run scripts/testmodel once")
def test_real_model_has_its_published_size():
    with HubDouble([realmodel.minilm()]) as hub:
        api = HfApi(endpoint=hub.endpoint, token=False)
        found = api.get_safetensors_metadata("sentence-transformers/all-MiniLM-L6-v2")
        assert found.parameter_count == {"F32": 22_713_216, "I64": 512}
        assert hub.counters.cdn.body_bytes < 200_000


def count(dimensions: tuple[int, ...]) -> int:
    product = 1
    for dimension in dimensions:
        product *= dimension
    return product


def read_gguf(content: bytes):
    """Metadata, tensors as (kind, dimensions, offset) by name, and where their data starts."""
    at = 0

    def take(form: str):
        nonlocal at
        values = struct.unpack_from(f"<{form}", content, at)
        at += struct.calcsize(f"<{form}")
        return values if len(values) > 1 else values[0]

    def text() -> str:
        return take(f"{take('Q')}s").decode()

    def value(kind: int):
        if kind == 8:
            return text()
        if kind == 9:
            inner, length = take("IQ")
            return [value(inner) for _ in range(length)]
        return take(SCALARS[kind])

    assert take("4s") == b"GGUF"
    version, tensor_count, metadata_count = take("IQQ")
    assert version == 3
    metadata = {text(): value(take("I")) for _ in range(metadata_count)}
    tensors = {}
    for _ in range(tensor_count):
        name = text()
        dimensions = tuple(take("Q") for _ in range(take("I")))
        kind, offset = take("IQ")
        tensors[name] = (kind, dimensions, offset)
    return metadata, tensors, at + -at % 32
