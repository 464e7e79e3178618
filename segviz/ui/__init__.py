"""Widgets, charts and the viewer: with app.py and pages/ the only code that knows Streamlit."""
