"""Makes the pages that say what the code does: ``python docs/generate.py``."""
