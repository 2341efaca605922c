"""The investor's report: what the database knows of held companies, as one page that needs nothing else."""

from pipeline.report.facts import ReportSummary
from pipeline.report.html import make_report
from pipeline.report.letter import Clause, Letter, load_letter

__all__ = ["Clause", "Letter", "ReportSummary", "load_letter", "make_report"]
