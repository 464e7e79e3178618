"""The page Image scaling."""
