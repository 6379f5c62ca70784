"""One file a job: the unit that Airflow, a shell and Spark run. `python -m jobs.NAME --help` is its reference."""
