"""What a cohort holds, before anything long runs."""

from neuroparcel.io.survey.surveying import Survey, survey

__all__ = ["Survey", "survey"]
