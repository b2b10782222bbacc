"""An encoder of a few random weights, as the embedder's folder is laid out, and weights of a reader for it."""

import re
from pathlib import Path

WORDS = [
    "Il",
    "mulino",
    "di",
    "Borgo",
    "macina",
    "grano",
    "farro",
    "Oggi",
    "il",
    "quale",
    "query",
    "passage",
    "claim",
    "quote",
    "Mulini",
]


def make_encoder(folder: Path, *, layers: int = 2) -> tuple[Path, Path]:
    """Return the folder of the encoder, and the file of the reader's weights."""
    import torch
    import transformers
    from tokenizers import Tokenizer, pre_tokenizers
    from tokenizers.models import WordLevel

    from rag.reader_model import ReaderModel, open_encoder
    from rag.reader_weights import save_weights, trained

    words = ["<s>", "<pad>", "</s>", "<unk>", *WORDS, *"?.:,"]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    own = folder / "encoder"
    own.mkdir(parents=True)
    tokenizer.save(str(own / "tokenizer.json"))
    torch.manual_seed(7)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=512,
        initializer_range=0.5,
        pad_token_id=1,
    )
    transformers.BertModel(config).half().save_pretrained(own)
    model = ReaderModel(open_encoder(own))
    base = {name: value.clone() for name, value in trained(model).items() if re.match("encoder", name)}
    with torch.no_grad():
        for value in trained(model).values():
            value += 0.1 * torch.randn_like(value.float()).to(value.dtype)
    weights = folder / "reader.safetensors"
    save_weights(weights, model, base, {"encoder": "tiny"})
    return own, weights
