"""The page Defences."""
