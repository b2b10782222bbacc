"""Conditions on documents, as the user writes them (`language=it`, `published>=2024-03-01`), and as SQL; pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a field of a document. Made by `parse_condition`."""

    field: str
    operator: str
    value: str


def sql_of(conditions: Sequence[Condition]) -> tuple[str, list[str]]:
    """Return an SQL expression over the columns of `documents` that says all of `conditions`, and its values."""
    parts = [f"{condition.field} {condition.operator} ?" for condition in conditions]
    return " AND ".join(parts) or "1", [condition.value for condition in conditions]
