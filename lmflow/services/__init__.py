"""The local services: the sample sites, MLflow, Airflow and the model page, started and stopped as one."""
