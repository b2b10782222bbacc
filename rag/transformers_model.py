"""Generation with transformers: any causal model in a local folder, the default on a GPU.

Only safetensors are loaded, and never code that comes with a model.
"""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from index.errors import GenerationFailed, ModelUnavailable
from rag.generate import Generation, Message, ThreadedGeneration

FIRST_TOKENS = 10


class TransformersGenerator:
    """A causal language model. Loaded when first used; one reply at a time, others wait for its end."""

    def __init__(self, folder: Path, *, name: str, fingerprint: str = "", context_tokens: int = 4096) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.context_tokens = context_tokens
        self._folder = folder
        self._tokenizer: Any = None
        self._model: Any = None
        self._loading = threading.Lock()
        self._turn = threading.Lock()
        self._current: TransformersGeneration | None = None

    def prepare(self) -> None:
        """Do nothing: importing is what takes long, and two imports at once only wait for each other."""

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: Sequence[str] = ()) -> Generation:
        """Return a reply that is written while it is iterated. Raises ModelUnavailable, GenerationFailed."""
        self._load()
        prompt = prompt_ids(self._tokenizer, messages)
        if len(prompt) + max_tokens > self.context_tokens:
            raise GenerationFailed(
                f"The prompt has {len(prompt)} tokens and leaves no room for {max_tokens} more in the model's "
                f"{self.context_tokens}: ask a shorter question, or set FONTE_CONTEXT_TOKENS higher."
            )
        self._current = TransformersGeneration(self._model, self._tokenizer, prompt, max_tokens, stop, self._turn)
        return self._current

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` costs. Loads the model."""
        self._load()
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def close(self) -> None:
        """Stop a reply that is being written and free the model."""
        if self._current:
            self._current.close()
        with self._turn, self._loading:
            self._model = self._tokenizer = self._current = None

    def _load(self) -> None:
        with self._loading:
            if self._model is not None:
                return
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
            from transformers.utils import logging

            logging.disable_progress_bar()  # it writes over the user's terminal
            device = "cuda" if torch.cuda.is_available() else "cpu"
            # What the weights were published in is right for a GPU; processors compute it one by one, or not at all.
            dtype = "auto" if device == "cuda" else torch.float32
            safely = {"local_files_only": True, "trust_remote_code": False}
            try:
                tokenizer = AutoTokenizer.from_pretrained(self._folder, **safely)
                model = AutoModelForCausalLM.from_pretrained(self._folder, dtype=dtype, use_safetensors=True, **safely)
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
                raise ModelUnavailable(
                    f"transformers cannot load {self._folder} as a language model: {reason}"
                ) from error
            limit = getattr(model.config, "max_position_embeddings", None)
            self.context_tokens = min(self.context_tokens, limit or self.context_tokens)
            self._tokenizer, self._model = tokenizer, model.to(device).eval()


class TransformersGeneration(ThreadedGeneration):
    """One reply of a transformers model."""

    def __init__(
        self, model: Any, tokenizer: Any, prompt: list[int], max_tokens: int, stop: Sequence[str], turn: threading.Lock
    ) -> None:
        super().__init__(turn)
        self.prompt_tokens = len(prompt)
        self._model = model
        self._tokenizer = tokenizer
        self._prompt = prompt
        self._max_tokens = max_tokens
        self._stop = tuple(stop)

    def __iter__(self) -> Iterator[str]:
        """Yield the reply's pieces, once, up to the first stop word. Raises GenerationFailed."""
        pieces = super().__iter__()
        return cut_at_stop(pieces, self._stop) if self._stop else pieces

    def _write(self) -> None:
        import torch
        from transformers import TextStreamer

        generation = self

        class Streamer(TextStreamer):  # type: ignore[misc]
            def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
                if text:
                    generation._pieces.put(text)

        ids = torch.tensor([self._prompt], device=self._model.device)
        end = self._tokenizer.eos_token_id
        with torch.inference_mode():
            self._model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=self._max_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=end if self._tokenizer.pad_token_id is None else self._tokenizer.pad_token_id,
                streamer=Streamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True),
                logits_processor=[self._before_token],
                stopping_criteria=[self._after_token],
            )

    def _before_token(self, ids: Any, scores: Any) -> Any:
        """Note the first token's probabilities; return the scores as they are."""
        if not self.first_token:
            best = scores[0].float().log_softmax(dim=-1).topk(min(FIRST_TOKENS, scores.shape[-1]))
            tokens = [self._tokenizer.decode([index]) for index in best.indices.tolist()]
            # Backwards, as pieces of characters look alike, and the likeliest is the one to keep.
            self.first_token = dict(zip(reversed(tokens), reversed(best.values.tolist()), strict=True))
        return scores

    def _after_token(self, ids: Any, scores: Any, **_: Any) -> Any:
        """Count a token and say whether to stop."""
        import torch

        self.output_tokens = ids.shape[1] - len(self._prompt)
        return torch.full((1,), self._closed.is_set(), dtype=torch.bool, device=ids.device)


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Return the prompt as token ids, in the model's own chat format, or a plain one where it has none."""
    if not tokenizer.chat_template:
        text = "".join(f"{m.role.capitalize()}: {m.content}\n\n" for m in messages) + "Assistant:"
        return list(tokenizer(text)["input_ids"])
    from jinja2 import TemplateError

    chat = [{"role": m.role, "content": m.content} for m in messages]
    try:
        return _templated(tokenizer, chat)
    except TemplateError:  # some formats know no system message
        system = "\n\n".join(m.content for m in messages if m.role == "system")
        rest = [message for message in chat if message["role"] != "system"]
        rest[0] = {**rest[0], "content": f"{system}\n\n{rest[0]['content']}"}
        return _templated(tokenizer, rest)


def _templated(tokenizer: Any, chat: Sequence[dict[str, str]]) -> list[int]:
    prompt = tokenizer.apply_chat_template(list(chat), add_generation_prompt=True, tokenize=True, return_dict=True)
    return list(prompt["input_ids"])


def cut_at_stop(pieces: Iterator[str], stop: Sequence[str]) -> Iterator[str]:
    """Yield the text before the first stop word, holding back what may be the beginning of one."""
    held = ""
    for piece in pieces:
        held += piece
        found = [at for word in stop if (at := held.find(word)) >= 0]
        if found:
            yield held[: min(found)]
            return
        keep = max((n for word in stop for n in range(1, len(word)) if held.endswith(word[:n])), default=0)
        if len(held) > keep:
            yield held[: len(held) - keep]
            held = held[len(held) - keep :]
    if held:
        yield held
