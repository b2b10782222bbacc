"""Every command that the README shows is run, with fakes for the two models."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from conftest import FakeEmbedder, FakeGenerator

import ui.app
import ui.cli

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"(?:^    .+\n)+", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
COMMANDS = [line.removeprefix(".venv/bin/") for line in LINES if line.startswith(".venv/bin/fonte")]
TARGETS = [line.removeprefix("make ") for line in LINES if line.startswith("make ")]


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 8 and {"demo", "test"} <= set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_in_the_makefile(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fake_embedder: FakeEmbedder
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FONTE_MODELS", str(tmp_path / "cache" / "models"))
    _files(tmp_path)
    monkeypatch.setattr(ui.app, "load_embedder", lambda settings: fake_embedder)
    monkeypatch.setattr(ui.app, "load_generator", lambda settings: FakeGenerator("Anna Neri bought the mill in 1950."))
    monkeypatch.setattr(ui.cli, "_prompt", lambda: "")
    monkeypatch.setattr(ui.app, "pull_models", lambda settings, names: iter([tmp_path]))
    monkeypatch.setattr(ui.app, "check_models", lambda settings, names: iter([]))
    monkeypatch.setattr("ui.serve.serve", lambda app, **settings: None)
    for command in COMMANDS:
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        with pytest.raises(SystemExit) as stopped:
            ui.cli.main()
        assert not stopped.value.code, f"{command}: {capsys.readouterr().err}"


def _files(folder: Path) -> None:
    """Make the files that the README speaks of."""
    from reportlab.pdfgen.canvas import Canvas

    (folder / "docs").mkdir()
    (folder / "docs" / "mill.md").write_text("Anna Neri bought the mill in 1950.", encoding="utf-8")
    dated = "---\nlang: it\ndate: 2024-03-23\n---\nAnna Neri presiede il consiglio del mulino."
    (folder / "docs" / "consiglio.md").write_text(dated, encoding="utf-8")
    (folder / "notes").mkdir()
    (folder / "notes" / "note.txt").write_text("Il mulino riapre a maggio.", encoding="utf-8")
    canvas = Canvas(str(folder / "report.pdf"))
    canvas.drawString(72, 700, "Anna Neri bought the mill in 1950.")
    canvas.save()
    pair = '{"id": "1", "question": "Who bought the mill?", "answers": ["Anna Neri"], "relevant": ["mill.md"], '
    pair += '"answerable": true, "language": "en", "kind": "factoid"}\n'
    (folder / "gold.jsonl").write_text(pair, encoding="utf-8")
