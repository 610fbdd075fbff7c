"""A package, so that the fixtures of package scope in conftest.py end with the last test of this folder."""
