"""The measures, one a file: definition, source, code. Pure functions of texts, ids and numbers."""
