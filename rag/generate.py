"""Messages to text: the Generator protocol and its adapters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class Generation(Protocol):
    """One reply being written: iterate for its pieces of text; `close` stops the engine within half a second."""

    prompt_tokens: int  # 0 until known
    output_tokens: int
    first_token: Mapping[str, float]  # log-probability of the likeliest first tokens; empty where unknown

    def __iter__(self) -> Iterator[str]: ...

    def close(self) -> None:
        """Stop writing. Does nothing where the reply is complete."""
        ...


class Generator(Protocol):
    """A language model. Replies are the same for the same messages: temperature 0, fixed seed."""

    name: str
    fingerprint: str  # SHA-256 of the weights, "" where they are elsewhere
    context_tokens: int

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: Sequence[str] = ()) -> Generation:
        """Return a reply that is written while it is iterated. Raises GenerationFailed."""
        ...

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` costs; an estimate where the tokenizer is elsewhere."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...
