"""Budgets: bounds of what a part of a program, or a whole process, may spend, and what stops it there."""
