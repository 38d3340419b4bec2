"""The optional judge: a model that is asked about a deliverable what no rule can tell.

Its verdicts lie beside the grade and are no part of it: no score and no ``resolved`` depends on them.

    judge = Judge(model)                              # connected like any other
    opinion = judge.opinion(deliverable, votes=3)     # one Verdict a rubric, each with its votes and quotes

``trials`` judges a run directory, ``calibration`` measures a judge against labelled excerpts.
"""

from harness.judge.asking import Judge, Opinion, Verdict, Vote
from harness.judge.rubrics import Rubric, rubrics, rubrics_digest

__all__ = ["Judge", "Opinion", "Rubric", "Verdict", "Vote", "rubrics", "rubrics_digest"]
