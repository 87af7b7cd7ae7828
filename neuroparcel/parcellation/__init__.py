"""The bridge: cohorts become observations, posteriors become parcellations."""
