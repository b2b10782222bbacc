"""How the reader is taught: material, exercises made from it, training, measuring. Nothing that answers needs it."""
