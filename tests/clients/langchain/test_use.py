"""Goal: what programs do with langchain-qdrant works on Quipu as its documentation says.
Method: each way to make a store, each way to search it, in each mode, on few texts whose
embeddings count words, so that the nearest text is known.
"""
import uuid

import pytest
from fakes import SparseWordCounts, WordCounts
from langchain_core.documents import Document
from langchain_qdrant import QdrantVectorStore, RetrievalMode
from qdrant_client import models

TEXTS = ["the cat sat on the mat", "a dog ran in the park", "fish swim in the sea",
         "birds fly over the sea", "the cat chased the bird"]
METADATA = [{"page": i, "kind": "cat" if "cat" in text else "other"}
            for i, text in enumerate(TEXTS)]
IDS = [str(uuid.UUID(int=i + 1)) for i in range(len(TEXTS))]


def page_is(kind):
    return models.Filter(must=[models.FieldCondition(
        key="metadata.kind", match=models.MatchValue(value=kind))])


def modes():
    yield pytest.param({"retrieval_mode": RetrievalMode.DENSE, "embedding": WordCounts()},
                       id="dense")
    yield pytest.param({"retrieval_mode": RetrievalMode.SPARSE,
                        "sparse_embedding": SparseWordCounts()}, id="sparse")
    yield pytest.param({"retrieval_mode": RetrievalMode.HYBRID, "embedding": WordCounts(),
                        "sparse_embedding": SparseWordCounts()}, id="hybrid")
    yield pytest.param({"retrieval_mode": RetrievalMode.HYBRID, "embedding": WordCounts(),
                        "sparse_embedding": SparseWordCounts(), "vector_name": "meaning",
                        "sparse_vector_name": "words"}, id="hybrid, named")


@pytest.fixture(params=modes())
def store(request, server, client):  # `client` clears up
    return QdrantVectorStore.from_texts(TEXTS, metadatas=METADATA, ids=IDS, url=server.url,
                                        collection_name="texts", **request.param)


def contents(documents):
    return [document.page_content for document in documents]


def test_the_nearest_comes_first_with_its_metadata(store):
    found = store.similarity_search("fish swim", k=1)
    assert contents(found) == [TEXTS[2]]
    assert found[0].metadata["page"] == 2
    assert found[0].metadata["_collection_name"] == "texts"
    assert found[0].metadata["_id"] == IDS[2]


def test_scores_fall(store):
    found = store.similarity_search_with_score("the cat sat", k=5)
    assert contents([document for document, _ in found])[0] == TEXTS[0]
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0


def test_filters_hold(store):
    found = store.similarity_search("the sea", k=5, filter=page_is("cat"))
    assert {document.metadata["kind"] for document in found} == {"cat"}
    assert len(found) == 2


def test_offset(store):
    if store.retrieval_mode == RetrievalMode.HYBRID:
        pytest.skip("langchain-qdrant fuses k hits of each ranking, so there is little to pass over")
    all_of_them = contents(store.similarity_search("the cat", k=4))
    assert contents(store.similarity_search("the cat", k=2, offset=2)) == all_of_them[2:]


def test_threshold(store):
    best = store.similarity_search_with_score("the cat", k=1)[0][1]
    assert len(store.similarity_search("the cat", k=5, score_threshold=best + 1)) == 0


def test_documents_come_and_go(store):
    ids = store.add_documents([Document(page_content="a whale in the sea", metadata={"page": 9})])
    assert contents(store.similarity_search("whale", k=1)) == ["a whale in the sea"]
    assert [d.metadata["page"] for d in store.get_by_ids(ids)] == [9]
    assert store.delete(ids)
    assert store.get_by_ids(ids) == []
    assert "a whale in the sea" not in contents(store.similarity_search("whale", k=10))


def test_an_id_that_is_there_is_replaced(store):
    store.add_texts(["a horse eats grass"], ids=[IDS[0]])
    assert contents(store.get_by_ids([IDS[0]])) == ["a horse eats grass"]
    assert store.client.count("texts").count == len(TEXTS)


def test_a_store_of_a_collection_that_is_there(store, server):
    again = QdrantVectorStore.from_existing_collection(
        "texts", url=server.url, embedding=store.embeddings,
        retrieval_mode=store.retrieval_mode, vector_name=store.vector_name,
        sparse_embedding=store._sparse_embeddings, sparse_vector_name=store.sparse_vector_name)
    assert contents(again.similarity_search("fish", k=1)) == [TEXTS[2]]


def test_a_retriever(store):
    retriever = store.as_retriever(search_kwargs={"k": 2, "filter": page_is("other")})
    assert contents(retriever.invoke("dog in the park"))[0] == TEXTS[1]


@pytest.mark.asyncio
async def test_async(store):
    ids = await store.aadd_texts(["seven green frogs"])
    assert contents(await store.asimilarity_search("frogs", k=1)) == ["seven green frogs"]
    assert len(await store.aget_by_ids(ids)) == 1
    assert await store.adelete(ids)
    assert await store.aget_by_ids(ids) == []


@pytest.mark.parametrize("diversity", [0.0, 0.5, 1.0])
def test_maximal_marginal_relevance(server, client, diversity):
    # langchain-qdrant hands lambda_mult on as Qdrant's diversity, which is its opposite.
    store = QdrantVectorStore.from_texts(
        [*TEXTS, TEXTS[0] + " again"], WordCounts(), url=server.url, collection_name="mmr")
    found = contents(store.max_marginal_relevance_search(
        "the cat sat on the mat", k=2, fetch_k=6, lambda_mult=diversity))
    assert found[0] == TEXTS[0]
    if diversity != 0.5:
        assert (found[1] == TEXTS[0] + " again") == (diversity == 0.0)


def test_vectors_without_texts(server, client):
    store = QdrantVectorStore.from_texts(TEXTS, WordCounts(), url=server.url,
                                         collection_name="texts")
    vector = WordCounts().embed_query("birds fly")
    assert contents(store.similarity_search_by_vector(vector, k=1)) == [TEXTS[3]]
    assert store.similarity_search_with_relevance_scores("birds fly", k=1)[0][1] > 0.5


def test_a_collection_of_another_shape_is_refused(server, client):
    QdrantVectorStore.from_texts(TEXTS, WordCounts(), url=server.url, collection_name="texts")
    from langchain_qdrant.qdrant import QdrantVectorStoreError
    with pytest.raises(QdrantVectorStoreError):
        QdrantVectorStore(client, "texts", WordCounts(), vector_name="other")
    with pytest.raises(QdrantVectorStoreError):
        QdrantVectorStore(client, "texts", WordCounts(), distance=models.Distance.DOT)
    with pytest.raises(QdrantVectorStoreError):
        QdrantVectorStore(client, "texts", retrieval_mode=RetrievalMode.SPARSE,
                          sparse_embedding=SparseWordCounts())


def test_a_batch_is_larger_than_one_request(server, client):
    store = QdrantVectorStore.from_texts(
        [f"text number {i}" for i in range(500)], WordCounts(), url=server.url,
        collection_name="many", batch_size=64)
    assert client.count("many").count == 500
    store.add_texts([f"more {i}" for i in range(100)], batch_size=7)
    assert client.count("many").count == 600
