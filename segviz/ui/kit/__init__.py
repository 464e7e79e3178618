"""What every page is made of: session, models, pictures, charts."""
