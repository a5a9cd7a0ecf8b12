"""The service raises its own limit of open files, as far as it is let, and divides them."""

import pytest

from server.descriptors import Shares, raise_limit, shares


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "files"),
    [
        pytest.param(20_000, 20_000, [], 20_000, id="enough"),
        pytest.param(-1, -1, [], 8192, id="without limit"),
        pytest.param(1024, 65536, [(8192, 65536)], 8192, id="raised"),
        pytest.param(1024, -1, [(8192, -1)], 8192, id="raised where nothing limits"),
        pytest.param(1024, 4096, [(4096, 4096)], 4096, id="raised as far as allowed"),
        pytest.param(1024, 1024, [], 1024, id="not allowed"),
    ],
)
def test_the_limit_of_open_files_is_raised(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: list[tuple[int, int]], files: int
) -> None:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr("resource.setrlimit", lambda _, limits: seen.append(limits))
    assert raise_limit() == files
    assert seen == raised


@pytest.mark.parametrize(
    ("files", "workers", "expected"),
    [
        pytest.param(8192, 8, Shares(http=4000, grpc=1000), id="as many as by default"),
        pytest.param(1024, 8, Shares(http=389, grpc=129), id="few"),
        pytest.param(1024, 256, Shares(http=296, grpc=97), id="few, and many workers"),
        pytest.param(256, 8, Shares(http=39, grpc=12), id="as few as may be"),
    ],
)
def test_connections_get_what_others_leave(files: int, workers: int, expected: Shares) -> None:
    assert shares(files, http_max=4000, workers=workers) == expected


def test_too_few_files_are_refused() -> None:
    with pytest.raises(OSError, match="may have 255 files open, expected at least 256: raise"):
        shares(255, http_max=4000, workers=8)
