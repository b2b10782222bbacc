"""The packages import in one direction only, and importing does nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "prompts": set(),
    "index": set(),
    "rag": {"prompts", "index"},
    "eval": {"prompts", "index", "rag"},
    "ui": {"prompts", "index", "rag", "eval"},
    "train": {"prompts", "index", "rag", "eval", "ui"},  # teaches the reader; nothing imports it
}
FILES = [file for package in ALLOWED for file in sorted((ROOT / package).rglob("*.py"))]


def imported_packages(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            found.add((node.module or "").split(".")[0])
    return found & set(ALLOWED)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_point_one_way(file):
    package = file.relative_to(ROOT).parts[0]
    assert imported_packages(file) <= ALLOWED[package] | {package}


def test_only_the_process_of_the_vector_store_imports_chromadb():
    users = {f.name for f in FILES if "import chromadb" in f.read_text(encoding="utf-8")}
    assert users == {"chroma_process.py"}


def test_the_command_line_starts_without_loading_models_or_servers():
    heavy = "torch transformers sentence_transformers chromadb gradio xllamacpp llama_index openai"
    code = f"import sys, ui.cli; print([m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
