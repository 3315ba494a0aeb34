"""From which tables prices are."""

from __future__ import annotations

from opentelemetry.instrumentation.dspy.language_models.price_tables import price_tables

for table in price_tables():
    print(table)
