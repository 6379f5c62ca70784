"""Language models behind one contract. They know neither Airflow nor MLflow nor Spark."""
