"""segviz: attack a semantic-segmentation network and see, live and truthfully, what happens."""

__version__ = "1.0.0"
