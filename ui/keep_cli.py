"""The verbs that keep a library safe: doctor, backup, restore, rebuild."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import FonteError
from ui.console import note, say
from ui.options import Collection, Data, Embedder, settings_of

if TYPE_CHECKING:
    from index.backup import Saved
    from index.doctor import Health
    from rag.settings import Settings

_STORE_S = 600.0  # that making the vector store may take; later openings go on with it


def doctor(
    data: Data = None,
    embedder: Embedder = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
) -> None:
    """Tell whether every collection is whole; with --repair, mend what is not. Ends with 1 where something is wrong."""
    from index.access import check_present, libraries_in
    from index.doctor import examine

    settings = settings_of(data=data, embedder=embedder)
    libraries = libraries_in(settings.data)
    if not libraries:
        check_present(settings.data)
    wrong = 0
    for name, folder in libraries.items():
        health = examine(folder)
        if repair and not (health.sound and health.tidy):
            _repair(settings, health)
            health = examine(folder)
        say(f"{name}: {'sound' if health.sound else 'not sound'}")
        for finding in health.findings:
            say(f"  {'-' if finding.sound else '!'} {finding.text}")
        wrong += not health.sound
    if wrong:
        raise FonteError(f"{wrong} of {len(libraries)} collections are not sound; the lines with ! say what to do")


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    data: Data = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Save every collection into one file, also while the page is open or documents are added."""
    from index.backup import backup as save

    _print_saved(save(settings_of(data=data).data, file, force=force))


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `fonte backup` wrote.")],
    data: Data = None,
) -> None:
    """Bring a backup back, into a data folder that holds no library yet: all of it or nothing."""
    from index.backup import restore as bring_back

    _print_saved(bring_back(file, settings_of(data=data).data))


def rebuild(data: Data = None, collection: Collection = None, embedder: Embedder = None) -> None:
    """Make the library anew from its stored texts: for another embedder, or after an upgrade of fonte."""
    from index.collections import check_collection
    from index.library import Library
    from index.rebuild import rebuild as make_anew
    from ui.app import load_embedder
    from ui.progress import counted_progress

    settings = settings_of(data=data, collection=collection, embedder=embedder)
    check_collection(settings.data, settings.collection)
    folder = settings.library
    loaded = load_embedder(settings)
    with counted_progress() as draw:
        report = make_anew(folder, loaded, on_progress=lambda p: draw(p.done, p.total, f"{p.unit}: {p.label}"))
    with Library.open(folder, loaded) as library:
        library.wait_for_store(_STORE_S)
        say(f"{report.documents} documents, {report.chunks} passages, made with {loaded.name}")


def _repair(settings: "Settings", health: "Health") -> None:
    from index.salvage import repair
    from ui.app import load_embedder

    report = repair(health, lambda: load_embedder(settings))
    for sentence in report.done:
        note(sentence)
    if report.mended:
        note(f"embedded again: {', '.join(report.mended)}")
    if report.kept_aside:
        note(f"the damaged catalog was kept as {report.kept_aside}")
    if report.lost:
        note(f"lost, add them again: {', '.join(report.lost)}")


def _print_saved(saved: "list[Saved]") -> None:
    for one in saved:
        say(f"{one.name}: {one.documents} documents, {one.chunks} passages, embedder {one.embedder}")
