"""What the DAGs share: the operator that runs jobs, assets, task groups, forms. The only room that imports airflow."""
