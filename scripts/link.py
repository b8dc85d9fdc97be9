"""Links this tree into the environment that runs it: a path file and the commands of both projects.

What an editable install would do, without a build backend at run time: the root is an application
that no wheel is made of, and the commands start faster than pip's wrappers because they import
nothing of the packaging tools.
"""

import sys
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Python by way of the shell: a shebang cannot hold a path with spaces or of more than 127 bytes.
WRAPPER = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys
from {module} import {function}
sys.exit({function}())
"""


def main() -> None:
    site = Path(sysconfig.get_path("purelib"))
    (site / "mllm.pth").write_text(f"{ROOT}\n{ROOT / 'client'}\n")
    for project in (ROOT / "pyproject.toml", ROOT / "client" / "pyproject.toml"):
        for name, target in tomllib.loads(project.read_text())["project"]["scripts"].items():
            module, function = target.split(":")
            command = Path(sys.executable).parent / name
            command.write_text(
                WRAPPER.format(python=sys.executable, module=module, function=function)
            )
            command.chmod(0o755)


if __name__ == "__main__":
    main()
