"""The trace goes on in the model's server: its headers on requests to hosts that were named, and to no others."""
