"""One HTML page of a finished run: nouns to sections, sections to a page; no files are read here.

Between plotting and the pipeline: it draws and lays out, and knows nothing of results folders.
A further section is one more function in :data:`neuroparcel.report.page.SECTIONS`.
"""
