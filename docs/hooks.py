"""What MkDocs asks for while it builds: screenshots lie in assets/, outside the pages' folder, and come along into the site."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

SCREENSHOTS = Path(__file__).parents[1] / "assets" / "screenshots"


def on_files(files: Files, config: Any) -> Files:
    """The site's files and the screenshots."""
    for picture in sorted(SCREENSHOTS.glob("*.png")):
        files.append(File.generated(config, f"screenshots/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page whose screenshots are found in the site as they are in the repository."""
    return markdown.replace("](../assets/screenshots/", "](screenshots/")
