"""Scores for people and for CI: a table for the terminal, Markdown, JUnit XML, and one HTML file."""

from eval.report.comparison import compare_table, comparison_json
from eval.report.html import html
from eval.report.junit import junit
from eval.report.markdown import markdown
from eval.report.terminal import table

__all__ = ["compare_table", "comparison_json", "html", "junit", "markdown", "table"]
