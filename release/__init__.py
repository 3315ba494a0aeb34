"""What is checked before a release, and what is made of it: ``make release-check``."""
