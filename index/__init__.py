"""Documents to searchable passages: load, chunk, embed, record, search."""
