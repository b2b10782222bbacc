"""What the reader may be used for, each by itself: a setting, and what measuring turns off."""

# The order of passages, the choice of sentences; "support" and "abstain" are not fitted yet.
USES = frozenset({"order", "evidence"})


def uses_of(setting: str) -> frozenset[str]:
    """Return the uses that a setting names: "all", "off", or some of USES with commas between.

    Raises ValueError where it names another.
    """
    if setting.strip() in ("all", "off"):
        return USES if setting.strip() == "all" else frozenset()
    named = frozenset(part.strip() for part in setting.split(","))
    if wrong := sorted(named - USES):
        raise ValueError(f"the reader is not used for {wrong[0]!r}: all, off, or some of {', '.join(sorted(USES))}")
    return named
