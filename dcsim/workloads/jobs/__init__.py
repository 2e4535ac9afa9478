"""Job generators: synthetic streams of jobs. One file per generator."""
