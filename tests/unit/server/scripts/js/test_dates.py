"""Uses dates of the context in scripts, as ZITADEL's scripts use Go's time."""

import pytest

from tests.support.tables import cases
from tests.unit.server.scripts.runner import Runner

pytestmark = pytest.mark.asyncio(loop_scope="module")


@cases(
    "expression, expected",
    {
        "String": ("String(d)", "2025-03-04 05:06:07.123456789 +0000 UTC"),
        "concatenation": ("d + ''", "2025-03-04 05:06:07.123456789 +0000 UTC"),
        "string": ("d.string()", "2025-03-04 05:06:07.123456789 +0000 UTC"),
        "JSON": ("JSON.stringify(d)", '"2025-03-04T05:06:07.123456789Z"'),
        "new Date": ("new Date(d).toISOString()", "2025-03-04T05:06:07.123Z"),
        "Date.parse": ("Date.parse(d)", "1741064767123"),
        "unix": ("d.unix()", "1741064767"),
        "unixMilli": ("d.unixMilli()", "1741064767123"),
        "unixMicro": ("d.unixMicro()", "1741064767123456"),
        "unixNano": ("d.unixNano() / 1e9", "1741064767.1234567"),
        "year": ("d.year()", "2025"),
        "month": ("d.month()", "3"),
        "day": ("d.day()", "4"),
        "yearDay": ("d.yearDay()", "63"),
        "weekday": ("d.weekday()", "2"),
        "clock": ("[d.hour(), d.minute(), d.second()]", "5,6,7"),
        "nanosecond": ("d.nanosecond()", "123456789"),
        "in": ("['unix' in d, 'other' in d]", "true,false"),
        "its members": ("[Object.keys(d), Object.isFrozen(d)]", ",true"),
        "isZero": ("d.isZero()", "false"),
        "before": ("d.before(later)", "true"),
        "after": ("d.after(later)", "false"),
        "equal": ("d.equal(d)", "true"),
        "compare": ("d.compare(later)", "-1"),
        "sub": ("later.sub(d) / 1e9", "90060.876543211"),
        "before a Date": ("d.before(new Date())", "true"),
        "after a text": ("d.after('2025-03-04T05:06:07Z')", "true"),
        "equal to fewer digits": ("d.equal(new Date(d))", "false"),
        "sub of a Date": ("d.sub(new Date(0))", "1741064767123456800"),
        "add": ("d.add(876543211)", "2025-03-04 05:06:08 +0000 UTC"),
        "add what is negative": ("d.add(-123456790)", "2025-03-04 05:06:06.999999999 +0000 UTC"),
        "addDate": ("d.addDate(0, -1, 27)", "2025-03-03 05:06:07.123456789 +0000 UTC"),
        "less": ("d.addDate(1).add(0.5)", "2026-03-04 05:06:07.123456789 +0000 UTC"),
        "compared after addDate": ("d.addDate(0, 0, 30).after(later)", "true"),
        "weekday before 1970": ("d.weekday() + d.addDate(-60, 0, 0).weekday()", "6"),
        "compared as numbers": ("d < later", "true"),
        "getTime": ("d.getTime()", "1741064767123"),
        "toISOString": ("d.toISOString()", "2025-03-04T05:06:07.123Z"),
        "no Date": ("d instanceof Date", "false"),
        "format date": ("d.format('2006-01-02')", "2025-03-04"),
        "format RFC 1123": (
            "d.format('Mon, 02 Jan 2006 15:04:05 MST')",
            "Tue, 04 Mar 2025 05:06:07 UTC",
        ),
        "format kitchen": ("d.format('3:04PM .000 -07:00')", "5:06AM .123 +00:00"),
        "format RFC 3339": (
            "d.format('2006-01-02T15:04:05.999999999Z07:00')",
            "2025-03-04T05:06:07.123456789Z",
        ),
    },
)
async def test_a_date_answers_as_the_time_of_go(
    runner: Runner, expression: str, expected: str
) -> None:
    source = f"""function f(ctx) {{
      const d = ctx.v1.getUser().creationDate, later = ctx.v1.getUser().changeDate;
      log(String({expression}));
    }}"""
    assert await runner.logged(source) == expected


@cases(
    "call, text",
    {
        "number": ("d.before(5)", "TypeError: expected a date, got number"),
        "nothing": ("d.before()", "TypeError: expected a date, got undefined"),
        "text": ("d.before('soon')", "TypeError: expected a date, got string"),
        "object": ("d.sub({})", "TypeError: expected a date, got object"),
        "too late": (
            "d.addDate(9000, 0, 0)",
            "RangeError: a date that is not in the years 0 to 9999",
        ),
    },
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
