"""The pool of threads that tests give what they test; it outlives their loops."""

from typing import Final

from server.threads import ThreadPool

THREADS: Final = ThreadPool("tests", threads_max=2)
