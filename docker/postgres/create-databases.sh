#!/bin/sh
# Makes one database and one user each for Airflow and MLflow. The postgres image runs it once, on an empty volume.
set -eu

for name in airflow mlflow; do
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<SQL
\set password \`cat "${SECRETS:-/run/secrets}/${name}_db_password"\`
CREATE ROLE $name LOGIN PASSWORD :'password';
CREATE DATABASE $name OWNER $name;
REVOKE ALL ON DATABASE $name FROM PUBLIC;
SQL
done
