"""The service raises its own limit of open files, as far as it is let."""

import pytest

from server.descriptors import raise_limit


@pytest.mark.parametrize(
    ("soft", "hard", "raised"),
    [
        pytest.param(8192, 8192, [], id="enough"),
        pytest.param(-1, -1, [], id="without limit"),
        pytest.param(1024, 65536, [(8192, 65536)], id="raised"),
        pytest.param(1024, -1, [(8192, -1)], id="raised where nothing limits"),
        pytest.param(1024, 4096, [(4096, 4096)], id="raised as far as allowed"),
        pytest.param(1024, 1024, [], id="not allowed"),
    ],
)
def test_the_limit_of_open_files_is_raised(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: list[tuple[int, int]]
) -> None:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr("resource.setrlimit", lambda _, limits: seen.append(limits))
    raise_limit()
    assert seen == raised
