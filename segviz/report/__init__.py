"""Reports: a result as one HTML file that needs nothing else, for the screen and for paper."""
