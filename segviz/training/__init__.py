"""Recipes for the bundled weights; imports the rest of the package, nothing imports it."""
