"""What the reader is to learn, as one loss over a batch."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import cross_entropy, logsigmoid

from rag.reader_model import ReaderModel, Scores
from train.batches import UNKNOWN

_SPAN_WEIGHT, _PAIR_WEIGHT, _SENTENCE_WEIGHT = 1.0, 0.5, 0.5


class Learner(nn.Module):
    """The reader with its loss: each head's own, and that what holds scores above what is much like it and does not."""

    def __init__(self, model: ReaderModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        ids: Tensor,
        types: Tensor,
        claims: Tensor,
        holds: Tensor,
        groups: Tensor,
        answers: Tensor,
        allowed: Tensor,
        sentences: Tensor,
    ) -> dict[str, Tensor]:
        """Return the mean loss of the rows of a batch (`train.batches.collate`)."""
        scores = self.model(ids, types)
        logits = torch.where(claims, scores.supports, scores.answers)
        loss = bce(logits, holds.float(), reduction="sum")
        loss = loss + _PAIR_WEIGHT * _pairs(logits, holds, groups)
        loss = loss + _SPAN_WEIGHT * _spans(scores, claims, answers, allowed)
        loss = loss + _SENTENCE_WEIGHT * _sentences(scores, sentences) * len(ids)
        return {"loss": loss / len(ids)}


def _pairs(logits: Tensor, holds: Tensor, groups: Tensor) -> Tensor:
    """Return the sum of the losses of rows that hold against rows of their group that do not."""
    better = (groups[:, None] == groups[None, :]) & holds[:, None] & ~holds[None, :]
    return -(logsigmoid(logits[:, None] - logits[None, :]) * better).sum()


def _spans(scores: Scores, claims: Tensor, answers: Tensor, allowed: Tensor) -> Tensor:
    known = (answers[:, 0] != UNKNOWN) & ~claims
    if not known.any():
        return scores.starts.sum() * 0
    lowest = torch.finfo(scores.starts.dtype).min
    starts, ends = (logits.masked_fill(~allowed, lowest)[known] for logits in (scores.starts, scores.ends))
    first, last = answers[known].unbind(dim=1)
    return (cross_entropy(starts, first, reduction="sum") + cross_entropy(ends, last, reduction="sum")) / 2


def _sentences(scores: Scores, sentences: Tensor) -> Tensor:
    """Return the mean loss of the sentences that are known to bear on the question or not."""
    sentences = sentences[sentences[:, 0] != UNKNOWN]
    if not len(sentences):
        return scores.bears.sum() * 0
    row, first, after, bears = sentences.unbind(dim=1)
    sums = torch.cat([scores.bears.new_zeros(len(scores.bears), 1), scores.bears.cumsum(dim=1)], dim=1)
    means = (sums[row, after] - sums[row, first]) / (after - first)
    return bce(means, bears.float())
