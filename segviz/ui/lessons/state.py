"""What a tab remembers of its lessons: answers, and what was run here."""

from dataclasses import dataclass, field

from segviz.classroom.evidence import Evidence
from segviz.classroom.questions import Answer
from segviz.engine.jobs import Job


@dataclass
class LessonsState:
    """`answers` by lesson and step, None where what was measured was revealed without a guess; `ran`, by lesson and run, what was run here;
    `job` runs those of the lesson `running`.
    """

    answers: dict[tuple[str, int], Answer | None] = field(default_factory=dict)
    ran: dict[tuple[str, str], Evidence] = field(default_factory=dict)
    running: str = ""
    job: Job[dict[str, Evidence]] | None = None
