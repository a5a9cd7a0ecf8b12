"""Makes entity tags, and finds them in requests.

Follows RFC 9110 sections 8.8.3 (ETag) and 13.1.2 (If-None-Match). Tags are weak, since an answer
may be compressed.
"""

import hashlib
from typing import Final

from multidict import CIMultiDictProxy

_TAG_CHARS: Final = 32


def entity_tag(body: bytes) -> str:
    """Returns the ETag of a body, which differs for every other body."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:_TAG_CHARS]}"'


def has_current(headers: CIMultiDictProxy[str], tag: str) -> bool:
    """True if a request says that its client has the body of the tag."""
    given = ",".join(headers.getall("If-None-Match", ()))
    tags = [each.strip().removeprefix("W/") for each in given.split(",")]
    return "*" in tags or tag.removeprefix("W/") in tags
