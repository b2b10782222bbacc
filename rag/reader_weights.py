"""The reader's weights in a file of 8 bits a number: how far training moved the embedder's encoder, and the heads.

A matrix is kept as whole numbers from -127 to 127 and one scale for each of its rows. As it is the difference from the
embedder's weights that is kept so, and it is small, hardly anything is lost. Without the embedder it says nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from index.errors import ModelUnavailable

FORMAT = "fonte-reader-1"
_SCALE = ".scale"
_FROZEN = ("embeddings.word_embeddings", "embeddings.position_embeddings")
_LEAST_DIMENSIONS = 2  # of what is worth rounding


def trained(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights that training changes: all but the vocabulary and the positions."""
    return {name: value for name, value in model.state_dict().items() if not any(f in name for f in _FROZEN)}


def freeze(model: nn.Module) -> None:
    """Keep the vocabulary and the positions as they are."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not any(frozen in name for frozen in _FROZEN)


def save_weights(file: Path, model: nn.Module, base: Mapping[str, Tensor], notes: Mapping[str, object]) -> None:
    """Write what `model` differs in from `base`, and beside it `notes` with the SHA-256, as JSON."""
    from safetensors.torch import save_file

    kept: dict[str, Tensor] = {}
    for name, value in trained(model).items():
        moved = (value.detach().float() - base[name].float() if name in base else value.detach().float()).contiguous()
        if moved.dim() < _LEAST_DIMENSIONS or name not in base:
            kept[name] = moved.half()
            continue
        scale = moved.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / 127
        kept[name] = (moved / scale).round().to(torch.int8)
        kept[name + _SCALE] = scale.float()
    save_file(kept, str(file), metadata={"format": FORMAT})
    told = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), **notes}
    file.with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def load_weights(file: Path, model: nn.Module) -> None:
    """Move `model`, whose encoder has the embedder's weights, to where training brought it.

    Raises ModelUnavailable where the file is of another kind or for another encoder.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="pt") as kept:
            if (kept.metadata() or {}).get("format") != FORMAT:
                raise ModelUnavailable(f"{file} holds no weights of a reader")
            tensors: dict[str, Any] = {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelUnavailable(f"{file} cannot be read as a reader's weights: {error}") from error
    wanted = trained(model)
    held = {name for name in tensors if not name.endswith(_SCALE)}
    if held != set(wanted) or any(tensors[name].shape != wanted[name].shape for name in held):
        raise ModelUnavailable(f"{file} holds the weights of another reader")
    with torch.no_grad():
        for name, value in wanted.items():
            moved = tensors[name].float()
            if name + _SCALE in tensors:
                moved = moved * tensors[name + _SCALE]
            value.copy_(value.float() + moved if name.startswith("encoder.") else moved)
