# The official Airflow image with Nightshift in AIRFLOW_HOME, where Airflow looks for dags and plugins by itself. Plain Dockerfile: any builder takes it.
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.12
FROM ${AIRFLOW_IMAGE}

COPY --chown=airflow:0 requirements-image.lock /opt/airflow/
RUN pip install --quiet --no-cache-dir --no-deps --require-hashes -r /opt/airflow/requirements-image.lock

COPY --chown=airflow:0 . /opt/airflow/
# The connection types are found through the installed project. --no-index: every other requirement must be in the image already, or the build says which is not.
RUN pip install --quiet --no-cache-dir --no-index --no-build-isolation --editable /opt/airflow \
    && python -m compileall -q /opt/airflow/dags /opt/airflow/include /opt/airflow/plugins \
    # Airflow writes its defaults into this file where it is missing, which a read-only file system would refuse.
    && touch /opt/airflow/airflow.cfg \
    && mkdir -p /opt/airflow/lake && chmod g+rwX /opt/airflow/lake

# The API server knows the connection forms only if plugins/ is there when Python starts.
ENV PYTHONPATH=/opt/airflow/plugins:/opt/airflow \
    NIGHTSHIFT_LAKE=/opt/airflow/lake
