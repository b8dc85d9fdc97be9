"""Every process imports the hub room; it must not pay for what it does not use."""

import json
import subprocess
import sys

HEAVY = ["httpx2", "hf_xet", "huggingface_hub.hf_api", "torch", "numpy", "yaml", "tqdm", "aiohttp"]


def test_import_loads_neither_the_hub_library_nor_its_dependencies():
    modules = "infra.hub.client, infra.hub.errors, infra.hub.transfer.engine"
    program = f"import sys, json, {modules}; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, timeout=30
    )
    loaded = set(json.loads(answer.stdout))
    assert loaded.isdisjoint(HEAVY)
