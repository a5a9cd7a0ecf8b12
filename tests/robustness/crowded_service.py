"""The command line of `server`, in a process that may open few files: it takes few connections."""

import resource
from typing import Final

from server.__main__ import main

FILES_MAX: Final = 1_024
"""Max open files; some 400 of them are for connections over HTTP."""

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))
    main()
