"""Settings: `fonte.toml`, then FONTE_* environment variables, then flags; the last wins."""

from pathlib import Path

from platformdirs import user_cache_path
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from index.access import DEFAULT
from index.collections import folder_of
from index.errors import FonteError
from rag.uses import uses_of


class Settings(BaseSettings):
    """Every setting with its default. Built in `ui` only; below it travel plain keyword arguments."""

    model_config = SettingsConfigDict(env_prefix="FONTE_", toml_file="fonte.toml", extra="forbid", frozen=True)

    data: Path = Path(".fonte")  # the folder of the libraries
    collection: str = DEFAULT  # which of them
    models: Path = Field(default_factory=lambda: user_cache_path("fonte", appauthor=False) / "models")
    offline: bool = False  # forbids every download
    model: str = "default"
    embedder: str = "default"
    reranker: str = ""  # a cross-encoder, "" for none
    reader: str = "all"  # what it is used for: "all", "off", or some of rag.reader.USES, with commas between
    threads: int | None = Field(default=None, ge=1, le=256)  # None: the physical cores
    passages: int = Field(default=8, ge=1, le=50)
    evidence_tokens: int = Field(default=300, ge=50, le=2000)
    answer_tokens: int = Field(default=160, ge=16, le=1000)
    least_answerable: float = Field(default=0.3, ge=0, le=1)  # higher refuses more, 0 only where the model does
    remember: bool = True  # an answer that was given before, while documents and models are the same
    context_tokens: int = Field(default=4096, ge=2048, le=131072)
    question_chars: int = Field(default=2000, ge=100, le=8000)  # longer questions are refused
    max_mb: float = Field(default=32, gt=0)  # larger files are refused

    @field_validator("collection")
    @classmethod
    def _check_name(cls, name: str) -> str:
        folder_of(Path(), name)  # raises FonteError, which says more than a failed pattern would
        return name

    @field_validator("reader")
    @classmethod
    def _check_uses(cls, uses: str) -> str:
        uses_of(uses)
        return uses

    @property
    def reader_uses(self) -> frozenset[str]:
        """What the reader is used for."""
        return uses_of(self.reader)

    @property
    def library(self) -> Path:
        """The folder of the collection."""
        return folder_of(self.data, self.collection)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put flags before the environment before the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**flags: object) -> Settings:
    """Return the settings in force; flags that are None are as good as not given.

    Raises FonteError naming every setting that is wrong.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc']))} = {e['input']!r}: {e['msg'].lower()}" for e in error.errors()
        )
        raise FonteError(f"These settings cannot be used: {wrong}.") from None
    except ValueError as error:  # a fonte.toml that is not TOML
        raise FonteError(f"fonte.toml cannot be read: {error}.") from None
