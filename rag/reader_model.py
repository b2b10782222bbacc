"""The reader's network: the encoder of the default embedder, its weights changed by training, and four heads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from index.errors import ModelUnavailable
from rag.reader_input import Row

PADDING = 1  # id of `<pad>`


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network says of n rows of at most t tokens: logits."""

    answers: Tensor  # (n,): the passage answers the question
    supports: Tensor  # (n,): the quote supports the claim
    starts: Tensor  # (n, t): the answer starts here; at the first token where there is none
    ends: Tensor  # (n, t): the answer ends here
    bears: Tensor  # (n, t): bears on the question; the mean over a sentence's tokens is the sentence's


class Head(nn.Module):
    """One number from the vector of the first token."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, vector: Tensor) -> Tensor:
        """Return logits `(n,)` of vectors `(n, hidden)`."""
        found: Tensor = self.out(torch.tanh(self.dense(vector))).squeeze(-1)
        return found


class ReaderModel(nn.Module):
    """The encoder with its heads. `encoder` is a BertModel without a pooler."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        hidden = encoder.config.hidden_size
        self.answers = Head(hidden)
        self.supports = Head(hidden)
        self.tokens = nn.Linear(hidden, 3)  # start, end, bears

    def forward(self, ids: Tensor, types: Tensor) -> Scores:
        """Return what is said of rows `(n, t)`, padded with PADDING."""
        vectors = self.encoder(input_ids=ids, token_type_ids=types, attention_mask=self._mask(ids)).last_hidden_state
        first = vectors[:, 0]
        tokens = self.tokens(vectors).float()
        return Scores(
            answers=self.answers(first).float(),
            supports=self.supports(first).float(),
            starts=tokens[..., 0],
            ends=tokens[..., 1],
            bears=tokens[..., 2],
        )

    def _mask(self, ids: Tensor) -> Tensor:
        """Return what is added to attention scores, `(n, 1, 1, t)`, in the type they have: another is much slower."""
        device = ids.device.type
        mixed = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if mixed else self.tokens.weight.dtype
        return torch.zeros(ids.shape, dtype=dtype, device=ids.device).masked_fill(
            ids == PADDING, torch.finfo(dtype).min
        )[:, None, None, :]


def open_encoder(folder: Path) -> Any:
    """Return the encoder in `folder`, without a pooler; all but its large vocabulary in float32.

    Raises ModelUnavailable where there is none.
    """
    from transformers import BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    level = logging.get_verbosity()
    logging.set_verbosity_error()  # it would tell of the pooler that is not used
    try:
        encoder = BertModel.from_pretrained(
            str(folder),
            add_pooling_layer=False,
            attn_implementation="eager",  # learns twice as fast as SDPA on a processor
            hidden_dropout_prob=0.0,  # nor while learning: what is read once or twice is hardly learnt by heart
            attention_probs_dropout_prob=0.0,
            dtype=torch.float16,  # as in the file; float32 would take 384 MB for the vocabulary
            local_files_only=True,
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelUnavailable(f"{folder} holds no encoder for the reader: {error}") from error
    finally:
        logging.set_verbosity(level)
    for name, module in encoder.named_children():
        if name != "embeddings":
            module.float()
    for name, module in encoder.embeddings.named_children():
        if name != "word_embeddings":
            module.float()
    return encoder


def padded(rows: list[Row]) -> tuple[Tensor, Tensor]:
    """Return the ids and the types `(n, t)` of `rows`, which share the length of the longest."""
    longest = max(len(row.ids) for row in rows)
    ids = [row.ids + [PADDING] * (longest - len(row.ids)) for row in rows]
    types = [row.types + [1] * (longest - len(row.types)) for row in rows]
    return torch.tensor(ids), torch.tensor(types)
