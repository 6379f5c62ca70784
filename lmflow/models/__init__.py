"""Language models behind one contract. They know neither Airflow nor MLflow nor Spark."""

import os

# Of itself TensorFlow multiplies with oneDNN only on CPUs that have AVX-512 VNNI; with AVX2 it is a quarter faster too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
