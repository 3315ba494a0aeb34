"""Tests of the programs of docs/recipes, a file for each page."""
