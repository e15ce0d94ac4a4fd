"""What all sections of adjutant.yaml have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator


class Section(BaseModel):
    """A part of the configuration: immutable, and strange to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _bare_name_is_empty(cls, value: Any) -> Any:
        """Take `build:` with nothing below it, or only comments, as an empty section."""
        return {} if value is None else value


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        message = f"{str(path)!r} is not an absolute path; the daemon's working directory is /"
        raise ValueError(message)
    return path


def _off_as_text(value: object) -> object:
    return "off" if value is False else value


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        message = f"{value} is a truth value where a number is wanted"
        raise ValueError(message)  # noqa: TRY004 -- pydantic takes ValueError only
    return value


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
"""A path that means the same wherever the daemon stands."""
OffAsText = BeforeValidator(_off_as_text)
"""YAML 1.1 reads a bare `off` as false; for a choice of words it stays the word."""
SwitchAsText = BeforeValidator(lambda value: "on" if value is True else _off_as_text(value))
"""The same with `on`, which YAML 1.1 reads as true."""
Integer = Annotated[int, BeforeValidator(_no_bool)]
"""A whole number; YAML's `yes` is not 1."""
Number = Annotated[float, BeforeValidator(_no_bool)]
"""A number; YAML's `yes` is not 1.0."""
