"""Tools that documents show and a machine need not have: stand-ins that take what is shown.

Rule: an option that a stand-in does not know ends it, so that nothing is shown that was not run.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

CURL: Final = r"""
import re, sys, urllib.error, urllib.request
method, headers, data, after, hidden, url = None, {}, None, "", False, None
args = iter(sys.argv[1:])
for arg in args:
    if arg == "-X": method = next(args)
    elif arg == "-H": name, _, value = next(args).partition(": "); headers[name] = value
    elif arg == "-d": data = next(args).encode()
    elif arg == "--json": data = next(args).encode(); headers["Content-Type"] = "application/json"
    elif arg == "-w": after = next(args).replace("\\n", "\n")
    elif arg == "-o": hidden = next(args) == "/dev/null"; assert hidden
    elif arg != "-sS": assert url is None and arg.startswith("http://"), arg; url = arg
request = urllib.request.Request(url, data, headers, method=method)
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
body = answer.read().decode()
after = after.replace("%{http_code}", str(answer.status))
print("" if hidden else body, end="")
print(re.sub(r"%header\{([a-z-]+)\}", lambda name: answer.headers.get(name[1], ""), after), end="")
"""


def stand_ins(folder: Path, scripts: Mapping[str, str]) -> str:
    """Write programs.

    Args:
        folder: where; it is made.
        scripts: Python, by the name of the program.

    Returns:
        A PATH that has them first, and then what is installed beside this Python.
    """
    folder.mkdir()
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f"#!{sys.executable}{script}", encoding="utf-8")
        path.chmod(0o755)
    return f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
