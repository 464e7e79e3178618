"""The page Target maps."""
