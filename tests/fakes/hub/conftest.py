"""A hub with one repository of each sort, and a Hugging Face client that was never used before."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, close_session, constants
from huggingface_hub.utils import disable_progress_bars, enable_progress_bars

from tests.fakes.hub import HubDouble, Repository
from tests.fakes.hub.formats import safetensors
from tests.fakes.hub.formats.safetensors import Tensor

WEIGHTS = random.Random("weights").randbytes(1_000_000)
CONFIG = b'{"model_type": "llama"}\n'
TENSORS = [
    Tensor("model.embed_tokens.weight", "BF16", (64, 32)),
    Tensor("model.layers.0.mlp.up_proj.weight", "BF16", (96, 32)),
    Tensor("model.norm.weight", "F16", (32,)),
]
PARAMETERS = {"BF16": 64 * 32 + 96 * 32, "F16": 32}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubDouble]:
    folder = tmp_path / "sharded"
    folder.mkdir()
    safetensors.write_sharded(folder, TENSORS, shards=2)
    sharded: dict[str, bytes | Path] = {path.name: path for path in folder.iterdir()}
    files = {"config.json": CONFIG, "model.gguf": WEIGHTS}
    repositories = [
        Repository(
            id="acme/sharded",
            files=sharded | {"config.json": CONFIG, "docs/a/one.md": b"1", "docs/two.md": b"22"},
            tags=("llama",),
            git_tags=("v1",),
            downloads=30,
            likes=1,
            license="apache-2.0",
            pipeline_tag="text-generation",
            library_name="transformers",
        ),
        Repository(
            id="acme/packed", files=files, downloads=20, likes=2, gguf={"architecture": "llama"}
        ),
        Repository(id="other/gated", files=files, gated="manual", downloads=10, likes=3),
        Repository(id="other/asks", files=files, gated="auto", downloads=5),
        Repository(id="acme/private", files=files, private=True, downloads=40),
    ]
    with HubDouble(repositories) as double:
        yield double


@pytest.fixture(autouse=True)
def fresh_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The library reads its environment once, at import; these are the names it keeps it under.
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    disable_progress_bars()
    yield
    enable_progress_bars()
    close_session()


@pytest.fixture
def api(hub: HubDouble) -> HfApi:
    return HfApi(endpoint=hub.endpoint, token=False)
