"""The first view of every page: on screen without torch, which belongs to the process of the engine, and without OpenCV."""

import subprocess
import sys

from segviz.places import APP

OPENED = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
from segviz.engine import jobs

class Silent:
    def __init__(self, hear, device=None): ...
    def send(self, message): ...
    def end(self): ...

jobs.CONNECT = Silent
for page in sorted((Path(sys.argv[1]).parent / "pages").glob("*.py"), key=lambda page: (page.stem == "image_scaling", page.stem)):
    app = AppTest.from_file(sys.argv[1], default_timeout=600)
    app.switch_page(f"pages/{page.name}").run()
    loaded = [name for name in ("torch", "torchvision", "scipy", "transformers", "cv2") if name in sys.modules]
    print(page.stem, *(str(one.value) for one in app.exception), *loaded, flush=True)
"""


def test_no_page_needs_torch_for_its_first_view_and_only_image_scaling_opencv():
    seen = subprocess.run([sys.executable, "-c", OPENED, str(APP)], capture_output=True, text=True, check=True).stdout.splitlines()
    pages = sorted(page.stem for page in (APP.parent / "pages").glob("*.py") if page.stem != "image_scaling")
    # That page is about scaling functions, OpenCV's among them; what it loads stays, so that it is the last one opened.
    assert seen == [*pages, "image_scaling cv2"]
