"""segviz: attack a semantic-segmentation network and see, live and truthfully, what happens."""
