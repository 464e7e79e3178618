"""What the page Certificate shows and runs."""

from dataclasses import dataclass, field

from segviz.records import Picture
from segviz.studies.certify import Certificate, CertifySettings
from segviz.studies.runs import run_certificate
from segviz.ui.kit.running import Running
from segviz.ui.kit.session import first_view, queue
from segviz.ui.kit.state import asked_by_link, page_state

PAGE = "pages/certificate.py"


@dataclass
class Certifying(Running[Certificate]):
    """On screen is the `certificate`, of the run `shown`."""

    certificate: Certificate = field(default_factory=lambda: first_view("certificate"))
    shown: str = "precomputed"

    def update(self) -> None:
        """Take over what the run has come to."""
        if self.job is not None and not self.active and self.job.latest is not None:
            self.certificate, self.shown = self.job.latest, self.job.id


def certifying() -> Certifying:
    """The record of this tab."""
    return page_state(Certifying, lambda: Certifying(asked=asked_by_link(PAGE, "sigma")))


def start_certifying(state: Certifying, settings: CertifySettings, picture: Picture) -> None:
    """Queue a certificate of the picture."""
    state.job = queue(run_certificate, settings, picture)
