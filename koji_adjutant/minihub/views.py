"""The hub's query views: rows that fit clauses, with the fields that were asked for.

Clauses are [field, value] or [field, operator, value]; fields a list, "*" (those of the view) or "**" (all there are).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import koji

from koji_adjutant.minihub.context import apply_query_options

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "IS": lambda value, wanted: value is wanted,
    "IS NOT": lambda value, wanted: value is not wanted,
    "IN": lambda value, wanted: value in wanted,
    "@>": lambda value, wanted: wanted.items() <= value.items(),
    "<@": lambda value, wanted: value.items() <= wanted.items(),
}
_WITH_NOTHING = ("IS", "IS NOT", "IN")


def _fits(row: dict[str, Any], clause: Sequence[Any]) -> bool:
    if len(clause) not in (2, 3):
        raise koji.ParameterError(f"Invalid clause: {clause}")
    name, wanted = clause[0], clause[-1]
    sign = str(clause[1]).upper() if len(clause) == 3 else "IN" if isinstance(wanted, (list, tuple)) else "="
    if sign not in _OPERATORS:
        raise koji.ParameterError(f"Invalid operator: {sign}")
    if name not in row:
        raise koji.ParameterError(f"Invalid field for query {name}")
    # Nothing compares with NULL.
    return (row[name] is not None or sign in _WITH_NOTHING) and bool(_OPERATORS[sign](row[name], wanted))


def view(rows: Iterable[dict[str, Any]], clauses: Any, fields: Any, opts: Any, defaults: Sequence[str]) -> Any:
    """Rows that fit all clauses, ordered and cut by `opts`."""
    found = [row for row in rows if all(_fits(row, clause) for clause in clauses or ())]
    chosen = apply_query_options(found, opts)
    if fields == "**" or isinstance(chosen, int):
        return chosen
    wanted = defaults if not fields or isinstance(fields, str) else fields
    for name in wanted:
        if found and name not in found[0]:
            raise koji.ParameterError(f"Invalid field for query {name}")
    return [{name: row[name] for name in wanted} for row in chosen]
