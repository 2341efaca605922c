"""When and where: flows and the command line. Importing this package imports nothing else."""
