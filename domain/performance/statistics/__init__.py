"""The figures of a report beside its metrics: what quantstats, LEAN and freqtrade print, each with its source."""
