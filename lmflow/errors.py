"""The errors a person is meant to read. Everything else is a defect and keeps its traceback."""


class InputError(ValueError):
    """A bad option, file, address or an empty input: one line that names the thing and the remedy.

    A job ends with exit status 2 and Airflow does not retry it: running it again changes nothing.
    """


class ServiceError(RuntimeError):
    """A service we depend on does not answer: one line that names it, its address and how to start it.

    A job ends with exit status 1, so that Airflow retries it.
    """
