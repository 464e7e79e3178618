"""Gradient attacks: losses, constraints and update rules over one loop, and the catalogue of named attacks."""
