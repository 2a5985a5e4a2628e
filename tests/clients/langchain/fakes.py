"""Embeddings that are the same everywhere and need no model: what texts share are their words."""
import zlib

from langchain_core.embeddings import Embeddings
from langchain_qdrant.sparse_embeddings import SparseEmbeddings, SparseVector

DIM = 64


def words(text):
    return [zlib.crc32(word.encode()) for word in text.lower().split()]


class WordCounts(Embeddings):
    """The number of words in each of DIM places."""

    def embed_query(self, text):
        values = [0.0] * DIM
        for word in words(text):
            values[word % DIM] += 1.0
        return values if any(values) else [1.0] * DIM

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


class SparseWordCounts(SparseEmbeddings):
    """The same, with a place for every word."""

    def embed_query(self, text):
        counts = {}
        for word in words(text):
            counts[word] = counts.get(word, 0.0) + 1.0
        return SparseVector(indices=list(counts), values=list(counts.values()))

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]
