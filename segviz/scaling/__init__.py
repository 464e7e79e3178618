"""Image-scaling attacks: a picture that becomes another picture when it is scaled down."""
