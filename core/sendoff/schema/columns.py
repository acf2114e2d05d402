"""Convert columns to their declared types, all rows at once.

Each function returns the typed column, null where a value is invalid. A value is invalid exactly
where `Type.read` raises for it; a property test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import polars as pl

from sendoff import jsonlib
from sendoff.schema.types import TYPES, DType, Format, Type, localize

_DAY = "%Y-%m-%d"


def convert(series: pl.Series, type_: Type, *, text: bool, format: Format = None) -> pl.Series:
    """The column in its declared type; null where a cell was null or cannot be of that type."""
    expression = compile_conversion(pl.col("v"), series.dtype, type_, text=text, format=format)
    if expression is not None:
        return series.to_frame("v").select(expression.alias(series.name)).to_series()
    return convert_each_cell(series, type_, text, format)


def compile_conversion(cells: pl.Expr, dtype: DType, type_: Type, *, text: bool, format: Format = None) -> pl.Expr | None:
    """An expression that converts cells of this dtype as `convert` does; None where only `convert_each_cell` can.

    As expressions, all columns of a frame are converted at once.
    """
    if dtype in (pl.Categorical, pl.Enum):
        cells, dtype = cells.cast(pl.String), pl.String
    if dtype == pl.Null:
        return cells.cast(type_.dtype)
    if dtype == pl.String and (type_.name == "string" or text or type_.from_text):
        to_expression = None if format else _FROM_TEXT.get(type_.name)
        if text and type_.notation is not None:
            cells = type_.notation.compile(cells, type_.name)
    else:
        to_expression = _FROM_TYPED.get(type_.name)
        if to_expression is not None and not (dtype.is_numeric() or dtype.is_temporal() or dtype == pl.Boolean):
            to_expression = None
    return None if to_expression is None else to_expression(cells, dtype)


def convert_json_numbers(cells: pl.Expr, type_: Type) -> pl.Expr:
    """An expression that converts JSON numbers, as text, to a declared type; null where a number cannot be of that type."""
    match type_.name:
        case "integer":
            return cells.cast(pl.Int64, strict=False)
        case "float":
            value = _keep_finite(cells.cast(pl.Float64, strict=False))
            long = (cells.str.len_bytes() > 15) & ~cells.str.contains(r"[.eE]")
            inexact = long & (value.cast(pl.Int128, strict=False) != cells.cast(pl.Int128, strict=False)).fill_null(True)
            return pl.when(~inexact).then(value)
        case "number" | "decimal":
            return cells  # they are JSON numbers already, with all their digits
    return pl.when(False).then(cells).cast(type_.dtype)


def empty_to_null(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame of a text source with its empty cells as nulls."""
    text = pl.col(pl.String)
    return frame.with_columns(pl.when(text.str.len_bytes() > 0).then(text))


def convert_each_cell(series: pl.Series, type_: Type, text: bool, format: Format) -> pl.Series:
    """As `convert`, by `Type.read` for one cell after the other; equal texts are read once."""
    cache: dict[object, object] = {}

    def cell(value: object) -> object:
        try:
            return type_.convert(value, text=text, format=format)
        except ValueError:
            return None

    def cached(value: object) -> object:
        if value is None:
            return None
        if not isinstance(value, str):
            return cell(value)
        if value not in cache:
            cache[value] = cell(value)
        return cache[value]

    return pl.Series(series.name, [cached(value) for value in series.to_list()], dtype=type_.dtype)


def _matching_text(type_name: str) -> Callable[[pl.Expr], pl.Expr]:
    """The cells that match the type's grammar; null for the others."""
    pattern = rf"\A(?:{TYPES[type_name].pattern})\z"
    return lambda v: pl.when(v.str.contains(pattern)).then(v)


def _integer_text(v: pl.Expr, _: object) -> pl.Expr:
    return _matching_text("integer")(v).cast(pl.Int64, strict=False)


def _keep_finite(v: pl.Expr) -> pl.Expr:
    return pl.when(v.is_finite()).then(v)


def _float_text(v: pl.Expr, _: object) -> pl.Expr:
    return _keep_finite(_matching_text("float")(v).cast(pl.Float64, strict=False))


def _number_text(v: pl.Expr, _: object) -> pl.Expr:
    return _matching_text("number")(v)


def _boolean_text(v: pl.Expr, _: object) -> pl.Expr:
    return v.replace_strict(
        {word: word.lower() == "true" for word in ("true", "false", "True", "False", "TRUE", "FALSE")},
        default=None,
        return_dtype=pl.Boolean,
    )


def _parse_day(v: pl.Expr) -> pl.Expr:
    """A date that exists, in the years 1 to 9999, as those are the ones that Python's `date` can hold."""
    day = v.str.to_date(_DAY, strict=False, exact=True)
    return pl.when(~v.str.starts_with("0000")).then(day)


def _date_text(v: pl.Expr, _: object) -> pl.Expr:
    return _parse_day(_matching_text("date")(v))


def _datetime_text(v: pl.Expr, _: object) -> pl.Expr:
    matching = _matching_text("datetime")(v)
    real = _parse_day(matching.str.slice(0, 10)).is_not_null()
    whole = matching.str.replace(" ", "T", literal=True).str.replace(r"\A(.{16})(Z|[+-].*)?\z", "${1}:00${2}")
    hours = whole.str.replace(r"\A(.{16}.*[+-][0-9]{2})\z", "${1}:00")
    return pl.when(real).then(hours.str.replace(r"\A(.{16}.*[+-][0-9]{2})([0-9]{2})\z", "${1}:${2}"))


def _time_text(v: pl.Expr, _: object) -> pl.Expr:
    return _matching_text("time")(v).str.replace(r"\A(.{5})\z", "${1}:00")


def _integer(v: pl.Expr, dtype: DType) -> pl.Expr:
    return v.cast(pl.Int64, strict=False) if dtype.is_integer() else _nulls(pl.Int64)


def _float(v: pl.Expr, dtype: DType) -> pl.Expr:
    if dtype.is_integer():
        return pl.when(v.cast(pl.Float64).cast(pl.Int128) == v.cast(pl.Int128)).then(v.cast(pl.Float64))
    return _keep_finite(v.cast(pl.Float64, strict=False)) if dtype.is_numeric() else _nulls(pl.Float64)


def _digits(v: pl.Expr, dtype: DType) -> pl.Expr:
    if dtype.is_float():
        return _keep_finite(v).cast(pl.String)
    return v.cast(pl.String) if dtype.is_numeric() else _nulls(pl.String)


def _boolean(v: pl.Expr, dtype: object) -> pl.Expr:
    return v if dtype == pl.Boolean else _nulls(pl.Boolean)


def _date(v: pl.Expr, dtype: object) -> pl.Expr:
    return v if dtype == pl.Date else _nulls(pl.Date)


def _datetime(v: pl.Expr, dtype: object) -> pl.Expr:
    return format_datetime(v, dtype) if isinstance(dtype, pl.Datetime) else _nulls(pl.String)


def _duration(v: pl.Expr, dtype: object) -> pl.Expr:
    return v.dt.to_string("iso") if isinstance(dtype, pl.Duration) else _nulls(pl.String)


def _time(v: pl.Expr, dtype: object) -> pl.Expr:
    return v.dt.to_string("%H:%M:%S%.f") if dtype == pl.Time else _nulls(pl.String)


def _nulls(dtype: DType) -> pl.Expr:
    return pl.lit(None, dtype=dtype)


def format_datetime(v: pl.Expr, dtype: pl.Datetime) -> pl.Expr:
    """A native datetime as ISO 8601 text, with its offset if it has one."""
    return v.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if dtype.time_zone else ""))


_Conversion = Callable[["pl.Expr", DType], "pl.Expr"]

_FROM_TEXT: dict[str, _Conversion] = {
    "string": lambda v, _: v,
    "integer": _integer_text,
    "float": _float_text,
    "number": _number_text,
    "decimal": _number_text,
    "boolean": _boolean_text,
    "date": _date_text,
    "datetime": _datetime_text,
    "time": _time_text,
}

_FROM_TYPED: dict[str, _Conversion] = {
    "string": lambda v, _: _nulls(pl.String),
    "integer": _integer,
    "float": _float,
    "number": _digits,
    "decimal": _digits,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
    "duration": _duration,
    "dict": lambda v, _: _nulls(pl.String),
    "list": lambda v, _: _nulls(pl.String),
}


def to_json(series: pl.Series) -> pl.Series:
    """A column of any values as JSON text; null where a value was null or JSON cannot hold it."""

    def text(value: object) -> str | None:
        try:
            return None if value is None else jsonlib.dumps(value)
        except ValueError:
            return None

    return pl.Series(series.name, [text(value) for value in series.to_list()], dtype=pl.String)


#: The end of a datetime that names its zone.
_ZONE = r"(?:Z|[+-][0-9]{2}:[0-9]{2})\z"


def names_zone(v: pl.Expr) -> pl.Expr:
    """Whether datetimes, as ISO 8601 text, name their zone."""
    return v.str.contains(_ZONE)


def localize_datetimes(v: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    """Datetimes as text, with the offset of a zone where they name none; null where there is no such time there."""

    def localized(texts: pl.Series) -> pl.Series:
        local = texts.unique().to_list()
        return texts.replace_strict(local, [_localized(text, zone) for text in local], return_dtype=pl.String)

    return pl.when(names_zone(v)).then(v).otherwise(v.map_batches(localized, return_dtype=pl.String))


def _localized(text: str | None, zone: ZoneInfo) -> str | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        return text
    try:
        return text + localize(moment, zone).isoformat()[len(moment.isoformat()) :]
    except ValueError:
        return None


def format_values(values: pl.Series, form: str | None) -> pl.Series:
    """A typed column in the form that its field asks for. A datetime names its zone where a moment is asked for."""
    match form:
        case None:
            return values
        case "text":
            return values.cast(pl.String)
        case _:
            scale = 1 if form == "epoch" else 1_000
            return pl.Series([None if value is None else _to_epoch(value, scale) for value in values], dtype=pl.Int64)


def _to_epoch(value: date | str, scale: int) -> int:
    """Seconds, or a part of them, since 1970; of a day, to its beginning in UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else datetime.combine(value, time())
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * scale + since.microseconds * scale // 1_000_000
