"""Teach the reader: `python -m train.reader READ.jsonl --out FOLDER [--public EVALDATA] [--resume]`.

Makes the exercises, trains the embedder's encoder with its heads, and writes FOLDER/reader.safetensors. It goes on from
the last checkpoint in FOLDER with --resume. On a processor that multiplies bfloat16 it takes one to two hours.
"""

import argparse
import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_utils import get_last_checkpoint

from index.embed import open_tokenizer
from rag.reader_input import RowMaker
from rag.reader_model import ReaderModel, open_encoder
from rag.reader_weights import freeze, save_weights
from rag.settings import load_settings
from rag.weights import resolve
from train.batches import Lesson, batched, collate, lessons
from train.cached import CachedEmbedder
from train.groups import GroupMaker, public_groups, public_paragraphs
from train.learner import Learner
from train.material import read_material
from train.written import FOLDER as WRITTEN
from train.written import read_written
from ui.app import load_embedder

MOST_TOKENS = 320
BATCH_TOKENS = 6_000
LEARNING_RATE = 2e-4


class Batches(Dataset[list[Lesson]]):
    """Batches made beforehand, so that their rows are alike in length."""

    def __init__(self, batches: list[list[Lesson]]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, place: int) -> list[Lesson]:
        return self._batches[place]


class WithLoss(ProgressCallback):  # type: ignore[misc]
    """The progress bar, which tells the time left, with the loss beside it."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
        """Show the loss of the last steps."""
        if self.training_bar is not None and logs and "loss" in logs:
            self.training_bar.set_postfix(loss=f"{float(logs['loss']):.3f}")


def main(argv: list[str] | None = None) -> int:
    """Make the exercises, train, write the weights."""
    parser = argparse.ArgumentParser(prog="python -m train.reader", description=__doc__.splitlines()[0])
    parser.add_argument("rows", type=Path, help="read.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints and weights")
    parser.add_argument("--public", type=Path, help="folder of clapnq_dev and mtrag_un, whose first halves are used")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint in OUT")
    parser.add_argument("--rate", type=float, default=LEARNING_RATE, help="learning rate")
    parser.add_argument("--steps", type=int, default=-1, help="stop after so many batches")
    options = parser.parse_args(argv)
    set_seed(options.seed)
    settings = load_settings()
    encoder = resolve("default", kind="embedder", models_folder=settings.models, offline=settings.offline)
    assert encoder.path is not None
    made = _exercises(options, encoder.path)
    model = new_model(encoder.path)
    base = {f"encoder.{name}": value.clone() for name, value in model.encoder.state_dict().items()}
    freeze(model)
    _train(model, made, options)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "reader.safetensors"
    notes = {"encoder": encoder.fingerprint, "seed": options.seed, "batches": len(made), "learning_rate": options.rate}
    save_weights(file, model, base, notes)
    print(f"{file}: {file.stat().st_size:,} bytes")  # noqa: T201
    return 0


def new_model(folder: Path) -> ReaderModel:
    """Return a reader that has learnt nothing yet: the encoder in `folder` in float32, and new heads."""
    return ReaderModel(open_encoder(folder).float())


def _exercises(options: argparse.Namespace, folder: Path) -> list[list[Lesson]]:
    embedder = CachedEmbedder(load_embedder(load_settings()), options.out / "vectors.npz")
    material = read_material(options.rows, embedder)
    written = list(read_written(sorted(WRITTEN.glob("*.jsonl"))))
    if options.public:
        material.paragraphs += public_paragraphs(options.public, {one.passage for one in written})
    known = {paragraph.id for paragraph in material.paragraphs}
    written = [one for one in written if one.passage in known]
    groups = GroupMaker(material, written, embedder, seed=options.seed).groups()
    if options.public:
        groups += public_groups(options.public, seed=options.seed)
    made = lessons(groups, RowMaker(open_tokenizer(folder)), most_tokens=MOST_TOKENS)
    rows, tokens = sum(len(lesson.rows) for lesson in made), sum(lesson.tokens for lesson in made)
    counts = Counter(group.kind for group in groups)
    print(f"{rows:,} exercises of {tokens:,} tokens; groups: {json.dumps(counts)}", file=sys.stderr)  # noqa: T201
    return batched(made, BATCH_TOKENS, random.Random(options.seed))


def _train(model: ReaderModel, batches: list[list[Lesson]], options: argparse.Namespace) -> None:
    gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(options.out / "checkpoints"),
        per_device_train_batch_size=1,  # of batches made beforehand
        num_train_epochs=1,
        max_steps=options.steps,
        learning_rate=options.rate,
        lr_scheduler_type="linear",
        warmup_steps=0.06,
        weight_decay=0.01,
        max_grad_norm=1.0,
        bf16=True,
        use_cpu=not gpu,
        logging_steps=10,
        save_steps=200,
        save_total_limit=1,
        report_to=[],
        disable_tqdm=True,  # the progress bar is ours
        remove_unused_columns=False,
        dataloader_pin_memory=gpu,
        seed=options.seed,
        data_seed=options.seed,
    )
    trainer = Trainer(
        model=Learner(model),
        args=arguments,
        train_dataset=Batches(batches),
        data_collator=lambda drawn: collate(drawn[0]),
        callbacks=[WithLoss()],
    )
    trainer.remove_callback(PrinterCallback)
    checkpoints = options.out / "checkpoints"
    last = get_last_checkpoint(str(checkpoints)) if options.resume and checkpoints.is_dir() else None
    trainer.train(resume_from_checkpoint=last)


if __name__ == "__main__":
    sys.exit(main())
