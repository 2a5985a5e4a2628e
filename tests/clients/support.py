"""A server of its own for each test program, and Qdrant's clients for it."""
import os
import random
import warnings

from qdrant_client import QdrantClient

import server_process
from server_process import QUIPU, ROOT, TIMEOUT_S  # noqa: F401  (used by the tests)


class Server(server_process.Server):
    def client(self, prefer_grpc=False):
        return QdrantClient(url=self.url, timeout=TIMEOUT_S, prefer_grpc=prefer_grpc,
                            grpc_port=int(self.grpc.rpartition(":")[2]))


def seed():
    """$QUIPU_TEST_SEED or a random one; printed either way."""
    drawn = int(os.environ.get("QUIPU_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"QUIPU_TEST_SEED={drawn}", flush=True)
    return drawn


def local_client():
    """The client's own local mode: the oracle."""
    warnings.filterwarnings("ignore", message="Payload indexes have no effect")
    return QdrantClient(":memory:")
