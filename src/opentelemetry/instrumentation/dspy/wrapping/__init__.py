"""How a call of DSPy is caught: what is put in the place of its methods, and what happens around each call."""
