"""Job-trace formats: how files of recorded jobs are read. One file per format."""
