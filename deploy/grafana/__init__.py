"""Grafana's dashboards, made from this source: ``python -m deploy.grafana`` writes ``dashboards/*.json``."""
