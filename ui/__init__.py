"""Command line and page: where people meet fonte."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported, so before it
# Read when torch or llama.cpp is first imported: spinning threads beside a busy process slow each other fivefold.
os.environ.setdefault("GOMP_SPINCOUNT", "500")
