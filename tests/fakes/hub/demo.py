"""The repositories of the demo: made up, but of true formats, with numbers that agree.

Written once into a folder, the same bytes on every machine, and served from there.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.fakes.hub.formats import gguf, safetensors
from tests.fakes.hub.formats.llama import Llama, Quantisation
from tests.fakes.hub.formats.qwen_awq import QwenAwq
from tests.fakes.hub.formats.tokenizer import Tokenizer
from tests.fakes.hub.repositories import Repository

LLAMA = Llama(
    hidden=512, layers=8, heads=8, kv_heads=4, intermediate=1536, tokenizer=Tokenizer(6144)
)
SMALL_LLAMA = Llama(
    hidden=256, layers=2, heads=4, kv_heads=2, intermediate=768, tokenizer=Tokenizer(1024)
)
QWEN = QwenAwq(
    hidden=512, layers=6, heads=8, kv_heads=2, intermediate=1536, tokenizer=Tokenizer(4096)
)
LICENSE = """\
Copyright 2026 Acme

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
"""
STAMP = ".complete"


def repositories(data: Path) -> list[Repository]:
    """The demo repositories, 139 MB below `data`; writes them there unless they are complete."""
    _write_all(data)
    return [
        _repository(data, "acme/tiny-llama", downloads=125_000, likes=312),
        _repository(data, "acme/tiny-qwen-awq", tags=("qwen2", "4-bit", "awq"), downloads=48_000),
        _repository(
            data,
            "acme/tiny-llama-gguf",
            tags=("llama", "base_model:acme/tiny-llama", "base_model:quantized:acme/tiny-llama"),
            downloads=91_000,
            gguf=LLAMA.hub_summary(),
        ),
        _repository(data, "acme/gated-llama", gated="manual", downloads=9_000),
        _repository(data, "acme/private-llama", private=True),
    ]


def _repository(data: Path, repository_id: str, **values: Any) -> Repository:
    folder = data / repository_id
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    defaults: dict[str, Any] = {
        "tags": ("llama", "conversational"),
        "library_name": "gguf" if values.get("gguf") else "transformers",
    }
    return Repository(
        id=repository_id,
        files=files,
        license="apache-2.0",
        pipeline_tag="text-generation",
        **(defaults | values),
    )


def _write_all(data: Path) -> None:
    stamp = data / STAMP
    version = _version()
    if stamp.is_file() and stamp.read_text() == version:
        return
    stamp.unlink(missing_ok=True)
    writers: dict[str, Callable[[Path], None]] = {
        "acme/tiny-llama": lambda folder: _write_llama(folder, LLAMA, shards=2),
        "acme/tiny-qwen-awq": _write_qwen,
        "acme/tiny-llama-gguf": _write_gguf,
        "acme/gated-llama": lambda folder: _write_llama(folder, SMALL_LLAMA, shards=1),
        "acme/private-llama": lambda folder: _write_llama(folder, SMALL_LLAMA, shards=1),
    }
    for repository_id, write in writers.items():
        folder = data / repository_id
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write(folder)
        _write_card(folder, repository_id)
    stamp.write_text(version)


def _write_llama(folder: Path, model: Llama, *, shards: int) -> None:
    _write_json(folder / "config.json", model.config())
    _write_tokenizer(folder, model.tokenizer)
    if shards == 1:
        safetensors.write(folder / "model.safetensors", model.tensors())
    else:
        safetensors.write_sharded(folder, model.tensors(), shards=shards)


def _write_qwen(folder: Path) -> None:
    _write_json(folder / "config.json", QWEN.config())
    _write_tokenizer(folder, QWEN.tokenizer)
    safetensors.write(folder / "model.safetensors", QWEN.tensors())


def _write_gguf(folder: Path) -> None:
    for quantisation in Quantisation:
        gguf.write(
            folder / f"tiny-llama-{quantisation}.gguf",
            metadata=LLAMA.gguf_metadata(quantisation, name="Tiny Llama"),
            tensors=LLAMA.gguf_tensors(quantisation),
        )


def _write_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    _write_json(folder / "tokenizer.json", tokenizer.document())
    _write_json(folder / "tokenizer_config.json", tokenizer.config())
    _write_json(folder / "special_tokens_map.json", tokenizer.special_tokens())
    generation = {
        "bos_token_id": tokenizer.bos_id,
        "do_sample": True,
        "eos_token_id": tokenizer.eos_id,
        "temperature": 0.7,
        "top_p": 0.9,
    }
    _write_json(folder / "generation_config.json", generation)


def _write_card(folder: Path, repository_id: str) -> None:
    name = repository_id.partition("/")[2]
    library = "gguf" if name.endswith("gguf") else "transformers"
    card = (
        "---\n"
        "license: apache-2.0\n"
        f"library_name: {library}\n"
        "pipeline_tag: text-generation\n"
        "---\n"
        f"# {name}\n\n"
        "A made-up model for demonstrations: true to its format, with random weights.\n"
    )
    (folder / "README.md").write_text(card)
    (folder / "LICENSE").write_text(LICENSE)


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")


def _version() -> str:
    """Changes with the code that makes the files."""
    here = Path(__file__)
    sources = [here, *sorted((here.parent / "formats").glob("*.py"))]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
