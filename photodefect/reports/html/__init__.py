"""The HTML report: a page of thumbnails that opens from disk, with no server and no network."""

from __future__ import annotations

from photodefect.reports.html.folder import ReportFolder, check_folder, is_report
from photodefect.reports.html.page import HtmlReport
from photodefect.reports.html.pictures import Pictures, make_pictures

__all__ = ["HtmlReport", "Pictures", "ReportFolder", "check_folder", "is_report", "make_pictures"]
