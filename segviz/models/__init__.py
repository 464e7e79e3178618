"""Networks, the catalogue of pretrained entries, and loading."""
