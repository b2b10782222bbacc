"""What can go wrong for a user, as one tree of exceptions.

    FonteError                a mistake or a circumstance that the user can do something about
      LibraryMissing          no library in the data folder yet
      LibraryBusy             another process is writing to the library
      LibraryMismatch         the library was built with another embedder or chunker
      BadBackup               a backup that is damaged, or made by a newer fonte
      UnreadableFile          one file could not become a document (collected, reported together)
      ModelUnavailable        weights are missing, damaged or cannot be fetched
      GenerationFailed        the language model did not answer
      BadQuestion             empty or too long
      BadGold                 gold or corpus lines that cannot be used
      BadRun                    an evaluation's folder holds another run, or rows that cannot be used
      BadGate                 a gate file that cannot be used

The message is one sentence for the user: what happened, to which value, what to type next.
The command line prints it on standard error and returns 1; the page shows the same sentence.
"""


class FonteError(Exception):
    """A mistake or circumstance that the user can do something about."""


class LibraryMissing(FonteError):
    """There is no library in the data folder yet."""


class LibraryBusy(FonteError):
    """Another process is writing to the library."""


class LibraryMismatch(FonteError):
    """The library was built with other settings than the ones asked for."""


class BadBackup(FonteError):
    """A backup is damaged, or a newer fonte made it."""


class UnreadableFile(FonteError):
    """One file could not become a document."""


class ModelUnavailable(FonteError):
    """Model weights are missing, damaged or cannot be fetched."""


class GenerationFailed(FonteError):
    """The language model did not answer."""


class BadQuestion(FonteError):
    """The question is empty or too long."""


class BadGold(FonteError):
    """Gold or corpus lines cannot be used."""


class BadRun(FonteError):
    """An evaluation's folder holds a run with other settings, or rows that cannot be used."""


class BadGate(FonteError):
    """A gate file asks for what cannot be checked."""
