"""The pages of the app by the last part of their address."""

PAGES = {
    "lessons": "pages/lessons.py",
    "": "pages/attack_lab.py",
    "attack_lab": "pages/attack_lab.py",
    "compare": "pages/compare.py",
    "targets": "pages/targets.py",
    "transfer": "pages/transfer.py",
    "image_scaling": "pages/image_scaling.py",
    "defences": "pages/defences.py",
    "curves": "pages/curves.py",
    "leaderboard": "pages/leaderboard.py",
    "models": "pages/models.py",
}
"""File of each page that a link can open."""
