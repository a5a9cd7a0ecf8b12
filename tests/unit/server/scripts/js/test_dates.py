"""Uses dates of the context in scripts, as ZITADEL's scripts use Go's time."""

import pytest

from tests.unit.server.scripts.runner import Runner

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("String(d)", "2025-03-04 05:06:07.123456789 +0000 UTC", id="String"),
        pytest.param("d + ''", "2025-03-04 05:06:07.123456789 +0000 UTC", id="concatenation"),
        pytest.param("d.string()", "2025-03-04 05:06:07.123456789 +0000 UTC", id="string"),
        pytest.param("JSON.stringify(d)", '"2025-03-04T05:06:07.123456789Z"', id="JSON"),
        pytest.param("new Date(d).toISOString()", "2025-03-04T05:06:07.123Z", id="new Date"),
        pytest.param("Date.parse(d)", "1741064767123", id="Date.parse"),
        pytest.param("d.unix()", "1741064767", id="unix"),
        pytest.param("d.unixMilli()", "1741064767123", id="unixMilli"),
        pytest.param("d.unixMicro()", "1741064767123456", id="unixMicro"),
        pytest.param("d.unixNano() / 1e9", "1741064767.1234567", id="unixNano"),
        pytest.param("d.year()", "2025", id="year"),
        pytest.param("d.month()", "3", id="month"),
        pytest.param("d.day()", "4", id="day"),
        pytest.param("d.yearDay()", "63", id="yearDay"),
        pytest.param("d.weekday()", "2", id="weekday"),
        pytest.param("[d.hour(), d.minute(), d.second()]", "5,6,7", id="clock"),
        pytest.param("d.nanosecond()", "123456789", id="nanosecond"),
        pytest.param("d.isZero()", "false", id="isZero"),
        pytest.param("d.before(later)", "true", id="before"),
        pytest.param("d.after(later)", "false", id="after"),
        pytest.param("d.equal(d)", "true", id="equal"),
        pytest.param("d.compare(later)", "-1", id="compare"),
        pytest.param("later.sub(d) / 1e9", "90060.876543211", id="sub"),
        pytest.param("d.before(new Date())", "true", id="before a Date"),
        pytest.param("d.after('2025-03-04T05:06:07Z')", "true", id="after a text"),
        pytest.param("d.equal(new Date(d))", "false", id="equal to fewer digits"),
        pytest.param("d.sub(new Date(0))", "1741064767123456800", id="sub of a Date"),
        pytest.param("d.add(876543211)", "2025-03-04 05:06:08 +0000 UTC", id="add"),
        pytest.param(
            "d.add(-123456790)",
            "2025-03-04 05:06:06.999999999 +0000 UTC",
            id="add what is negative",
        ),
        pytest.param(
            "d.addDate(0, -1, 27)", "2025-03-03 05:06:07.123456789 +0000 UTC", id="addDate"
        ),
        pytest.param("d.addDate(1).add(0.5)", "2026-03-04 05:06:07.123456789 +0000 UTC", id="less"),
        pytest.param("d.addDate(0, 0, 30).after(later)", "true", id="compared after addDate"),
        pytest.param("d.weekday() + d.addDate(-60, 0, 0).weekday()", "6", id="weekday before 1970"),
        pytest.param("d < later", "true", id="compared as numbers"),
        pytest.param("d.getTime()", "1741064767123", id="getTime"),
        pytest.param("d.toISOString()", "2025-03-04T05:06:07.123Z", id="toISOString"),
        pytest.param("d instanceof Date", "false", id="no Date"),
        pytest.param("d.format('2006-01-02')", "2025-03-04", id="format date"),
        pytest.param(
            "d.format('Mon, 02 Jan 2006 15:04:05 MST')",
            "Tue, 04 Mar 2025 05:06:07 UTC",
            id="format RFC 1123",
        ),
        pytest.param("d.format('3:04PM .000 -07:00')", "5:06AM .123 +00:00", id="format kitchen"),
        pytest.param(
            "d.format('2006-01-02T15:04:05.999999999Z07:00')",
            "2025-03-04T05:06:07.123456789Z",
            id="format RFC 3339",
        ),
    ],
)
async def test_a_date_answers_as_the_time_of_go(
    runner: Runner, expression: str, expected: str
) -> None:
    source = f"""function f(ctx) {{
      const d = ctx.v1.getUser().creationDate, later = ctx.v1.getUser().changeDate;
      log(String({expression}));
    }}"""
    assert await runner.logged(source) == expected


@pytest.mark.parametrize(
    ("call", "text"),
    [
        pytest.param("d.before(5)", "TypeError: expected a date, got number", id="number"),
        pytest.param("d.before()", "TypeError: expected a date, got undefined", id="nothing"),
        pytest.param("d.before('soon')", "TypeError: expected a date, got string", id="text"),
        pytest.param("d.sub({})", "TypeError: expected a date, got object", id="object"),
        pytest.param(
            "d.addDate(9000, 0, 0)",
            "RangeError: a date that is not in the years 0 to 9999",
            id="too late",
        ),
    ],
)
async def test_an_invalid_date_is_reported(runner: Runner, call: str, text: str) -> None:
    source = f"function f(ctx) {{ const d = ctx.v1.getUser().creationDate; {call} }}"
    assert (await runner.failure(source)).text.startswith(f"{text} at f")


async def test_a_date_that_is_unset_is_of_the_year_1(runner: Runner) -> None:
    source = (
        "function f(ctx) { const d = ctx.v1.getUser().creationDate; log(d, d.isZero(), d.unix()) }"
    )
    said = await runner.logged(source, context={})
    assert said == "0001-01-01 00:00:00 +0000 UTC true -62135596800"
