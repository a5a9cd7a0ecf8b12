"""docs/transcoding.md, "Bodies": a test for each of its lines, over a real Transcoder."""

import pytest

from tests.everything_fixture import Exchange, Row, refused, run


def patch(query: str, body: str, mask: str | None, part: object) -> Exchange:
    answer = {"name": "x", "part": part} | ({} if mask is None else {"updateMask": mask})
    return Exchange(f"PATCH /v1/part/x{query}", answer, body=body, by="WritePart")


ROWS = [
    pytest.param(
        (
            patch("", '{"first": "a", "size": 0}', "first,size", {"first": "a"}),
            patch("?updateMask=", '{"first": null}', "first", {}),
            patch(
                "",
                '{"inner": {"inner": {"first": "a"}}, "notes": ["b"], "byKey": {"c": {"size": 1}}}',
                "inner.inner.first,notes,byKey",
                {"inner": {"inner": {"first": "a"}}, "notes": ["b"], "byKey": {"c": {"size": 1}}},
            ),
            patch("?update_mask=size", '{"first": "a"}', "size", {"first": "a"}),
            patch("", '{"nope": 1, "size": 2}', "size", {"size": 2}),
            patch("", "{}", None, {}),
            Exchange("PUT /v1/part/x", {"name": "x", "part": {"size": 2}}, body='{"size": 2}'),
            refused(
                "PATCH /v1/part/x",
                "part: 'nope' is no field of everything.v1.Part",
                body='{"nope": 1, "size": 2}',
                strict=True,
            ),
        ),
        id="the mask of a PATCH",
    ),
]


@pytest.mark.parametrize("row", ROWS)
async def test_bodies(row: Row) -> None:
    await run(row)
