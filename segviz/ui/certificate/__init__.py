"""The page Certificate."""
