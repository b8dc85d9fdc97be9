"""What the download benchmark fetches: repositories of noise, and the documents a hub has of them.

The documents are those of the hub's double, so that every client takes the server for a hub.
"""

import json
import os
import subprocess
from pathlib import Path

from tests.fakes.hub import HubDouble, Repository
from tests.fakes.hub.wire import fetch

MB = 1_000_000
SMALL = {f"part_{n:03}.json": 200 + n * 47 for n in range(200)}  # 1 MB in all
# Names and sizes in bytes.
REPOSITORIES = {
    "bench/mixed": {
        **{f"model-{n}-of-4.safetensors": 128 << 20 for n in range(1, 5)},
        **SMALL,
    },
    "bench/one": {"model.safetensors": 512 << 20},
    "bench/small": SMALL,
}


def make(folder: Path) -> None:
    """Writes the files and `site.json`, which the server reads."""
    blobs = folder / "blobs"
    blobs.mkdir(parents=True)
    documents: dict[str, str] = {}
    served: dict[str, dict[str, object]] = {}
    with HubDouble() as hub:
        for name, sizes in REPOSITORIES.items():
            files = {path: blobs / f"{name.replace('/', '-')}-{path}" for path in sizes}
            for path, size in sizes.items():
                _noise(files[path], size)
            commit = hub.add(Repository(id=name, files=dict(files)))
            api = f"/api/models/{name}"
            for path in (api, f"{api}/revision/main", f"{api}/revision/{commit}"):
                documents[path] = fetch(hub.endpoint + path).body.decode()
            tree = f"{api}/tree/{commit}"
            documents[tree] = fetch(f"{hub.endpoint}{tree}?recursive=true").body.decode()
            for path, blob in files.items():
                file = hub.file(name, path)
                served[f"/{name}/resolve/{commit}/{path}"] = {
                    "blob": f"/{blob.relative_to(folder)}",
                    "commit": commit,
                    "git": file.git_oid,
                    "lfs": file.lfs,
                    "sha256": file.sha256,
                    "size": file.size_bytes,
                }
    site = {"documents": documents, "files": served}
    (folder / "site.json").write_text(json.dumps(site))


def certificate(folder: Path) -> Path:
    """For both names of this machine, with its key in the same file; made once."""
    path = folder / "localhost.pem"
    if not path.exists():
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        command = ["openssl", "req", "-x509", "-days", "2", *curve]
        subject = ["-subj", "/CN=localhost", "-addext", names]
        keys = ["-keyout", f"{path}.key", "-out", str(path)]
        subprocess.run([*command, *subject, *keys], check=True, capture_output=True)
        path.write_text(path.read_text() + Path(f"{path}.key").read_text())
    return path


def _noise(path: Path, size_bytes: int) -> None:
    with path.open("wb") as file:
        while size_bytes > 0:
            file.write(os.urandom(min(size_bytes, 8 << 20)))
            size_bytes -= 8 << 20
