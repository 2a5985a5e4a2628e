"""One server for all of the tests, and a client for it."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import support  # noqa: E402


@pytest.fixture(scope="session")
def server():
    server = support.Server()
    yield server
    server.close()


@pytest.fixture
def client(server):
    client = server.client()
    yield client
    for collection in client.get_collections().collections:
        client.delete_collection(collection.name)
    client.close()
