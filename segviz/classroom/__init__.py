"""Lessons and rooms: what a class predicts, and what was measured."""
