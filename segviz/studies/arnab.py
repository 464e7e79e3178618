"""Table 1 of Arnab, Miksik & Torr, On the Robustness of Semantic Segmentation Models to Adversarial Attacks, CVPR 2018 (1711.09856).

The figures are the paper's: IoU ratio in percent on Pascal VOC at eps = 8/255. The source is DeepLab v2 with a ResNet, at 50, 75 and 100 %
of the size and with the three fused; it and three other networks see the pictures.
"""

SOURCES = ("50 %", "75 %", "100 %", "multi-scale")
VICTIMS = (
    "DeepLab v2 ResNet, 50 %",
    "DeepLab v2 ResNet, 75 %",
    "DeepLab v2 ResNet, 100 %",
    "DeepLab v2 ResNet, multi-scale",
    "DeepLab v2 VGG, 100 %",
    "FCN-8s VGG",
    "FCN-8s ResNet",
)
# A row per victim, a column per source.
IOU_RATIO = {
    "fgsm": (
        (37.3, 70.5, 84.8, 60.3),
        (85.5, 39.7, 62.2, 50.8),
        (93.6, 57.9, 37.7, 37.2),
        (83.7, 57.6, 62.3, 53.1),
        (94.3, 70.6, 66.9, 66.5),
        (94.7, 67.2, 65.8, 65.4),
        (94.0, 66.3, 63.5, 63.1),
    ),
    "ifgsm-ll": (
        (18.0, 92.0, 96.9, 20.0),
        (99.5, 17.9, 89.9, 20.4),
        (100.0, 79.0, 15.5, 16.8),
        (99.6, 90.2, 91.9, 21.5),
        (98.9, 88.4, 86.3, 80.9),
        (98.4, 85.2, 84.9, 78.5),
        (99.4, 82.6, 80.3, 74.1),
    ),
}
