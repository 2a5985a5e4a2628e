#!/usr/bin/env python3
"""Goal: the unmodified qdrant-client works with Quipu by changing a port.
Method: every public method of the client, over REST and over gRPC, against a server of its own; wrong
inputs; and what docs/qdrant.md says answers 501, which must be all that does.
"""
import hashlib
import inspect
import pathlib
import random
import re
import unittest
import uuid
import warnings

import grpc
import httpx
import numpy as np
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as messages
from qdrant_client.http.exceptions import UnexpectedResponse
from qdrant_client.local.local_collection import LocalCollection  # noqa: F401  (must import)

import support

DIM = 4
# What gRPC says in the place of HTTP's statuses.
GRPC_STATUS = {400: grpc.StatusCode.INVALID_ARGUMENT, 404: grpc.StatusCode.NOT_FOUND,
               409: grpc.StatusCode.ALREADY_EXISTS, 501: grpc.StatusCode.UNIMPLEMENTED}
UUID = "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"

# Methods of the client, by what the tests do with them.
TESTED = set("""
    query_points query_batch_points query_points_groups search_matrix_pairs search_matrix_offsets
    scroll count facet upsert update_vectors delete_vectors retrieve delete set_payload
    overwrite_payload delete_payload clear_payload batch_update_points get_collections
    get_collection collection_exists update_collection delete_collection create_collection
    recreate_collection upload_points upload_collection create_payload_index delete_payload_index
    migrate info collection_cluster_info cluster_status close update_collection_aliases
    get_collection_aliases get_aliases create_vector_name delete_vector_name list_snapshots
    create_snapshot delete_snapshot recover_snapshot""".split())
NOT_BUILT = {
    "list_full_snapshots": lambda c: c.list_full_snapshots(),
    "create_full_snapshot": lambda c: c.create_full_snapshot(),
    "delete_full_snapshot": lambda c: c.delete_full_snapshot("s"),
    "list_shard_snapshots": lambda c: c.list_shard_snapshots("c", 0),
    "create_shard_snapshot": lambda c: c.create_shard_snapshot("c", 0),
    "delete_shard_snapshot": lambda c: c.delete_shard_snapshot("c", 0, "s"),
    "recover_shard_snapshot": lambda c: c.recover_shard_snapshot("c", 0, "file:///s"),
    "create_shard_key": lambda c: c.create_shard_key("c", "k"),
    "delete_shard_key": lambda c: c.delete_shard_key("c", "k"),
    "list_shard_keys": lambda c: c.list_shard_keys("c"),
    "cluster_collection_update": lambda c: c.cluster_collection_update(
        "c", models.DropReplicaOperation(drop_replica=models.Replica(shard_id=0, peer_id=0))),
    "recover_current_peer": lambda c: c.recover_current_peer(),
    "remove_peer": lambda c: c.remove_peer(1),
    "get_optimizations": lambda c: c.get_optimizations("c"),
    "cluster_telemetry": lambda c: c.cluster_telemetry(),
}
# They ask no server, or need packages for embedding on the client's side.
OF_THE_CLIENT = set("""
    grpc_collections grpc_points http rest init_options set_model set_sparse_model add query
    query_batch get_embedding_size get_fastembed_vector_params get_fastembed_sparse_vector_params
    get_vector_field_name get_sparse_vector_field_name list_text_models list_image_models
    list_late_interaction_text_models list_late_interaction_multimodal_models list_sparse_models
    embedding_model_name sparse_embedding_model_name DEFAULT_EMBEDDING_MODEL DEFAULT_BATCH_SIZE
    cache_dir embedder set_chunk embedding_models""".split())


def public_methods():
    return {name for name, _ in inspect.getmembers(QdrantClient) if not name.startswith("_")}


class ClientTest(unittest.TestCase):
    prefer_grpc = False

    @classmethod
    def setUpClass(cls):
        cls.server = support.Server()
        cls.client = cls.server.client(cls.prefer_grpc)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.close()

    def setUp(self):
        for collection in self.client.get_collections().collections:
            self.client.delete_collection(collection.name)

    def make(self, name="c", **more):
        self.client.create_collection(name, **{"vectors_config": models.VectorParams(
            size=DIM, distance=models.Distance.DOT), **more})

    def fill(self, name="c", count=10):
        self.make(name)
        self.client.upsert(name, [models.PointStruct(
            id=i, vector=[float(i), 1, 0, 0],
            payload={"n": i, "kind": "even" if i % 2 == 0 else "odd", "inner": {"n": i}})
            for i in range(count)])

    def refused(self, status, text, call, *arguments, **more):
        with self.assertRaises((UnexpectedResponse, grpc.RpcError)) as caught:
            call(*arguments, **more)
        if isinstance(caught.exception, grpc.RpcError):
            self.assertTrue(self.prefer_grpc)
            self.assertEqual(caught.exception.code(), GRPC_STATUS[status], caught.exception)
            self.assertIn(text, caught.exception.details())
            return
        self.assertEqual(caught.exception.status_code, status, caught.exception)
        body = caught.exception.structured()
        self.assertIn(text, body["status"]["error"])
        self.assertIn("time", body)

    # ------------------------------------------------------------ the whole of the client

    def test_every_method_is_accounted_for(self):
        known = TESTED | set(NOT_BUILT) | OF_THE_CLIENT
        self.assertEqual(public_methods() - known, set())
        for name in TESTED:
            self.assertIn(name, public_methods())

    def test_what_is_not_built_says_so(self):
        self.make()
        for name, call in NOT_BUILT.items():
            with self.subTest(name):
                self.refused(501, "not built", call, self.client)

    def test_version_and_health(self):
        self.assertEqual(self.client.info().version, "1.20.0")
        for path in ("/healthz", "/livez", "/readyz"):
            self.assertEqual(httpx.get(self.server.url + path).status_code, 200)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            QdrantClient(url=self.server.url).close()
        telemetry = self.client.http.service_api.telemetry().result
        self.assertEqual(telemetry.collections.number_of_collections, 0)
        self.assertIn("quipu_", httpx.get(self.server.url + "/metrics").text)

    def test_one_node_is_no_cluster(self):
        self.fill()
        self.assertEqual(self.client.cluster_status().status, "disabled")
        info = self.client.collection_cluster_info("c")
        self.assertEqual((info.shard_count, info.local_shards[0].points_count), (1, 10))

    # ------------------------------------------------------------ collections

    def test_collections_come_and_go(self):
        self.assertFalse(self.client.collection_exists("c"))
        self.make()
        self.assertTrue(self.client.collection_exists("c"))
        self.assertEqual([c.name for c in self.client.get_collections().collections], ["c"])
        self.refused(409, "already exists", self.make)
        self.assertTrue(self.client.delete_collection("c"))
        self.assertFalse(self.client.delete_collection("c"))
        self.refused(404, "Collection `c` doesn't exist!", self.client.get_collection, "c")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(2):
                self.client.recreate_collection("c", models.VectorParams(
                    size=2, distance=models.Distance.EUCLID))
        self.assertEqual(self.client.get_collection("c").config.params.vectors.size, 2)

    def test_options_are_answered_as_given(self):
        self.client.create_collection(
            "c",
            vectors_config={
                "a": models.VectorParams(
                    size=3, distance=models.Distance.COSINE, on_disk=True,
                    datatype=models.Datatype.FLOAT16,
                    hnsw_config=models.HnswConfigDiff(m=8, ef_construct=64)),
                "b": models.VectorParams(
                    size=5, distance=models.Distance.MANHATTAN,
                    multivector_config=models.MultiVectorConfig(
                        comparator=models.MultiVectorComparator.MAX_SIM))},
            sparse_vectors_config={"s": models.SparseVectorParams(
                modifier=models.Modifier.IDF, index=models.SparseIndexParams(on_disk=True))},
            shard_number=2, replication_factor=3, write_consistency_factor=2,
            on_disk_payload=False,
            hnsw_config=models.HnswConfigDiff(full_scan_threshold=77),
            optimizers_config=models.OptimizersConfigDiff(indexing_threshold=5000),
            wal_config=models.WalConfigDiff(wal_capacity_mb=64),
            quantization_config=models.ScalarQuantization(
                scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)),
            strict_mode_config=models.StrictModeConfig(enabled=False, max_query_limit=100),
            metadata={"owner": "me", "nested": {"x": None}})
        for _ in range(2):
            info = self.client.get_collection("c")
            params, config = info.config.params, info.config
            self.assertEqual(params.vectors["a"].hnsw_config.m, 8)
            self.assertEqual(params.vectors["a"].datatype, "float16")
            self.assertTrue(params.vectors["a"].on_disk)
            self.assertEqual(params.vectors["b"].multivector_config.comparator, "max_sim")
            self.assertEqual(params.vectors["b"].distance, models.Distance.MANHATTAN)
            self.assertEqual(params.sparse_vectors["s"].modifier, "idf")
            self.assertTrue(params.sparse_vectors["s"].index.on_disk)
            self.assertEqual((params.shard_number, params.replication_factor,
                              params.write_consistency_factor), (2, 3, 2))
            self.assertFalse(params.on_disk_payload)
            self.assertEqual(config.hnsw_config.full_scan_threshold, 77)
            self.assertEqual(config.optimizer_config.indexing_threshold, 5000)
            self.assertEqual(config.wal_config.wal_capacity_mb, 64)
            self.assertEqual(config.quantization_config.scalar.type, "int8")
            self.assertIn("full vectors", info.warnings[0].message)
            self.assertEqual(config.strict_mode_config.max_query_limit, 100)
            self.assertEqual(config.metadata, {"owner": "me", "nested": {"x": None}})
            self.assertEqual(info.status, "green")
            # What was stored is there after a restart.
            self.server.restart()
            type(self).client = self.server.client(self.prefer_grpc)

    def test_options_change(self):
        self.make(metadata={"a": 1, "b": {"c": 2}},
                  quantization_config=models.BinaryQuantization(
                      binary=models.BinaryQuantizationConfig()))
        change = self.client.update_collection
        change("c", metadata={"a": None, "b": {"d": 3}},
               optimizers_config=models.OptimizersConfigDiff(flush_interval_sec=9),
               collection_params=models.CollectionParamsDiff(read_fan_out_factor=4),
               vectors_config={"": models.VectorParamsDiff(on_disk=True)},
               hnsw_config=models.HnswConfigDiff(m=16, full_scan_threshold=5),
               quantization_config=models.ScalarQuantization(
                   scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8)))
        config = self.client.get_collection("c").config
        self.assertEqual(config.metadata, {"b": {"d": 3}})
        self.assertEqual(config.optimizer_config.flush_interval_sec, 9)
        self.assertEqual(config.params.read_fan_out_factor, 4)
        self.assertTrue(config.params.vectors.on_disk)
        self.assertEqual(config.hnsw_config.full_scan_threshold, 5)
        self.assertIsInstance(config.quantization_config, models.ScalarQuantization)
        change("c", quantization_config=models.Disabled.DISABLED)
        self.assertIsNone(self.client.get_collection("c").config.quantization_config)
        self.refused(501, "not built", change, "c", hnsw_config=models.HnswConfigDiff(m=32))
        self.refused(400, "Not existing vector name", change, "c",
                     vectors_config={"x": models.VectorParamsDiff(on_disk=True)})
        self.refused(404, "doesn't exist", change, "none", metadata={})

    def test_collections_that_cannot_be(self):
        create = self.client.create_collection
        params = models.VectorParams(size=DIM, distance=models.Distance.DOT)
        self.refused(400, "size", create, "c", models.VectorParams(
            size=0, distance=models.Distance.DOT))
        self.refused(400, "hnsw_config.m", create, "c", params,
                     hnsw_config=models.HnswConfigDiff(m=1))
        self.refused(501, "sharding_method", create, "c", params,
                     sharding_method=models.ShardingMethod.CUSTOM)
        self.refused(501, "strict_mode_config.enabled", create, "c", params,
                     strict_mode_config=models.StrictModeConfig(enabled=True))
        for body, text in [({"vectors": {"size": 4, "distance": "Angular"}}, "vectors.distance"),
                           ({"vectors": {"size": 4}}, "vectors.distance: is missing"),
                           ({"no_vectors": {}}, "no_vectors"), ([], "an object")]:
            answer = httpx.put(self.server.url + "/collections/c", json=body)
            self.assertEqual(answer.status_code, 400)
            self.assertIn(text, answer.json()["status"]["error"])
        self.assertEqual(self.client.get_collections().collections, [])

    # ------------------------------------------------------------ payload indexes

    def test_payload_indexes(self):
        self.fill()
        kinds = ["keyword", "integer", "float", "bool", "geo", "datetime", "uuid", "text"]
        for kind in kinds:
            self.client.create_payload_index("c", f"key.{kind}", kind)
        text = models.TextIndexParams(type="text", tokenizer=models.TokenizerType.PREFIX,
                                      min_token_len=2, max_token_len=9, lowercase=True)
        self.client.create_payload_index("c", "body", text)
        integer = models.IntegerIndexParams(type="integer", lookup=True, range=False)
        self.client.create_payload_index("c", "n", integer)
        schema = self.client.get_collection("c").payload_schema
        self.assertEqual({f"key.{kind}": kind for kind in kinds},
                         {key: schema[key].data_type.value for key in schema
                          if key.startswith("key.")})
        self.assertEqual(schema["body"].params, text)
        self.assertEqual(schema["n"].params, integer)
        for _ in range(2):
            self.client.delete_payload_index("c", "body")
        self.assertNotIn("body", self.client.get_collection("c").payload_schema)
        self.refused(501, "field_schema", self.client.create_payload_index, "c", "free")
        self.refused(404, "doesn't exist", self.client.create_payload_index, "none", "k", "keyword")

    # ------------------------------------------------------------ writes

    def test_ids_in_any_spelling(self):
        self.make()
        for spelling in (UUID, UUID.replace("-", ""), "urn:uuid:" + UUID, "{" + UUID + "}",
                         UUID.upper(), uuid.UUID(UUID)):
            self.client.upsert("c", [models.PointStruct(id=spelling, vector=[1, 0, 0, 0])])
            self.assertEqual([p.id for p in self.client.retrieve("c", [spelling])], [UUID])
        self.client.upsert("c", [models.PointStruct(id=2**64 - 1, vector=[1, 0, 0, 0])])
        self.assertEqual([p.id for p in self.client.scroll("c")[0]], [2**64 - 1, UUID])
        for spelling in ("not an id", "", "12"):
            self.refused(400, "id", self.client.upsert, "c",
                         [models.PointStruct(id=spelling, vector=[1, 0, 0, 0])])
        for path, status in ((UUID.replace("-", ""), 200), (str(2**64 - 1), 200), ("7", 404),
                             ("seven", 400), (str(2**64), 400)):
            answer = httpx.get(f"{self.server.url}/collections/c/points/{path}")
            self.assertEqual(answer.status_code, status, answer.text)

    def test_writes_answer_their_state(self):
        self.make()
        point = [models.PointStruct(id=1, vector=[1, 0, 0, 0])]
        self.assertEqual(self.client.upsert("c", point, wait=True).status, "completed")
        done = self.client.upsert("c", point, wait=False, ordering=models.WriteOrdering.STRONG)
        self.assertEqual((done.status, done.operation_id), ("acknowledged", 2))

    def test_of_several_points_of_one_id_the_last_wins(self):
        self.make()
        self.client.upsert("c", [models.PointStruct(id=i, vector=[float(v), 0, 0, 0])
                                 for i, v in ((1, 1), (2, 2), (1, 3))])
        points = self.client.retrieve("c", [1, 2], with_vectors=True)
        self.assertEqual([p.vector[0] for p in points], [3, 2])

    def test_update_modes(self):
        self.fill(count=2)
        points = [models.PointStruct(id=i, vector=[9, 9, 9, 9], payload={"new": True})
                  for i in (0, 5)]
        self.client.upsert("c", points, update_mode=models.UpdateMode.INSERT_ONLY)
        self.assertEqual([p.payload.get("new") for p in self.client.retrieve("c", [0, 5])],
                         [None, True])
        self.client.upsert("c", [models.PointStruct(id=i, vector=[8, 8, 8, 8]) for i in (1, 6)],
                           update_mode=models.UpdateMode.UPDATE_ONLY)
        self.assertEqual(sorted(p.id for p in self.client.scroll("c")[0]), [0, 1, 5])
        only_new = models.Filter(must=[models.FieldCondition(
            key="new", match=models.MatchValue(value=True))])
        self.client.upsert("c", [models.PointStruct(id=i, vector=[7, 7, 7, 7]) for i in (0, 5, 7)],
                           update_filter=only_new)
        vectors = {p.id: p.vector[0] for p in self.client.scroll("c", with_vectors=True)[0]}
        self.assertEqual(vectors, {0: 0, 1: 8, 5: 7, 7: 7})

    def test_uploads(self):
        self.make()
        rng = np.random.default_rng(1)
        vectors = rng.random((500, DIM), dtype=np.float32)
        self.client.upload_collection("c", vectors, payload=({"i": i} for i in range(500)),
                                      ids=range(500), batch_size=64, parallel=2, wait=True)
        self.client.upload_points("c", (models.PointStruct(id=1000 + i, vector=v.tolist())
                                        for i, v in enumerate(vectors)), wait=True)
        self.assertEqual(self.client.count("c").count, 1000)
        seen, offset = [], None
        while True:
            page, offset = self.client.scroll("c", limit=77, offset=offset)
            seen += [point.id for point in page]
            if offset is None:
                break
        self.assertEqual(seen, [*range(500), *range(1000, 1500)])
        self.assertEqual(len(self.client.scroll("c", limit=100_000)[0]), 1000)

    def test_more_points_than_one_write_of_the_engine_takes(self):
        self.make()
        points = [{"id": i, "vector": [1, 0, 0, 0]} for i in range(10_001)]
        answer = httpx.put(self.server.url + "/collections/c/points?wait=true", timeout=60,
                           json={"points": points})
        self.assertEqual(answer.status_code, 200, answer.text)
        self.assertEqual(self.client.count("c").count, 10_001)
        self.assertEqual(len(self.client.retrieve("c", list(range(10_001)))), 10_001)
        self.client.delete("c", list(range(10_001)))
        self.assertEqual(self.client.count("c").count, 0)

    def test_payloads(self):
        self.fill(count=3)
        self.client.set_payload("c", {"a": 1, "n": None}, [0, 1])
        self.client.set_payload("c", {"b": 2}, models.Filter(must=[models.FieldCondition(
            key="kind", match=models.MatchValue(value="odd"))]), key="inner")
        self.assertEqual(self.client.retrieve("c", [0, 1])[1].payload,
                         {"a": 1, "kind": "odd", "inner": {"n": 1, "b": 2}})
        self.client.delete_payload("c", ["inner.n", "kind"], [1])
        self.assertEqual(self.client.retrieve("c", [1])[0].payload, {"a": 1, "inner": {"b": 2}})
        self.client.overwrite_payload("c", {"x": None}, [1])
        self.assertEqual(self.client.retrieve("c", [1])[0].payload, {"x": None})
        self.client.clear_payload("c", [0, 1])
        self.assertEqual([p.payload for p in self.client.retrieve("c", [0, 1])], [{}, {}])
        self.refused(404, "No point with id 77 found", self.client.set_payload, "c", {"z": 1},
                     [0, 77])
        self.assertEqual(self.client.retrieve("c", [0])[0].payload, {"z": 1})

    def test_named_sparse_and_multivectors(self):
        self.client.create_collection(
            "c", vectors_config={
                "d": models.VectorParams(size=2, distance=models.Distance.COSINE),
                "m": models.VectorParams(size=2, distance=models.Distance.DOT,
                                         multivector_config=models.MultiVectorConfig(
                                             comparator=models.MultiVectorComparator.MAX_SIM))},
            sparse_vectors_config={"s": models.SparseVectorParams()})
        sparse = models.SparseVector(indices=[7, 3], values=[1.0, 2.0])
        self.client.upsert("c", [
            models.PointStruct(id=1, vector={"d": [3, 4], "m": [[1, 2], [3, 4]], "s": sparse}),
            models.PointStruct(id=2, vector={}), models.PointStruct(id=3, vector={"d": [0, 1]})])
        point = self.client.retrieve("c", [1], with_vectors=True)[0]
        self.assertTrue(np.allclose(point.vector["d"], [0.6, 0.8]))
        self.assertEqual(point.vector["m"], [[1, 2], [3, 4]])
        self.assertEqual(point.vector["s"], models.SparseVector(indices=[3, 7], values=[2, 1]))
        self.assertEqual(self.client.retrieve("c", [2], with_vectors=True)[0].vector, {})
        self.assertEqual(list(self.client.retrieve("c", [1], with_vectors=["m"])[0].vector), ["m"])
        self.client.update_vectors("c", [models.PointVectors(id=2, vector={"m": [[5, 6]]})])
        self.client.delete_vectors("c", ["d", "s"], [1])
        has_d = models.Filter(must=[models.HasVectorCondition(has_vector="d")])
        self.assertEqual(self.client.count("c", count_filter=has_d).count, 1)
        query = self.client.query_points("c", [[1, 0]], using="m")
        self.assertEqual([(p.id, p.score) for p in query.points], [(2, 5), (1, 3)])
        upsert = self.client.upsert
        for vector, text in [({"d": [1, 2, 3]}, "dimension"), ({"x": [1, 2]}, "x"),
                             ({"d": [[1, 2]]}, "multivector"), ({"m": [[1, 2, 3]]}, "dim"),
                             ({"s": [1.0, 2.0]}, "s"), ({"d": sparse}, "not"),
                             ({"s": models.SparseVector(indices=[1, 1], values=[1, 2])}, "twice"),
                             ([1, 2], "vector")]:
            with self.subTest(vector=vector):
                self.refused(400, text, upsert, "c", [models.PointStruct(id=9, vector=vector)])
        self.assertEqual(self.client.retrieve("c", [9]), [])

    def test_batches_of_updates_run_in_order(self):
        self.make()
        results = self.client.batch_update_points("c", [
            models.UpsertOperation(upsert=models.PointsList(points=[
                models.PointStruct(id=i, vector=[1, 2, 3, 4], payload={"a": 1})
                for i in range(4)])),
            models.SetPayloadOperation(set_payload=models.SetPayload(
                payload={"b": 2}, filter=models.Filter(must=[models.HasIdCondition(has_id=[1])]))),
            models.DeletePayloadOperation(delete_payload=models.DeletePayload(
                keys=["a"], points=[2])),
            models.OverwritePayloadOperation(overwrite_payload=models.SetPayload(
                payload={"only": 1}, points=[3])),
            models.ClearPayloadOperation(clear_payload=models.PointIdsList(points=[0])),
            models.UpdateVectorsOperation(update_vectors=models.UpdateVectors(points=[
                models.PointVectors(id=0, vector=[9, 9, 9, 9])])),
            models.DeleteVectorsOperation(delete_vectors=models.DeleteVectors(
                points=[1], vector=[""])),
            models.DeleteOperation(delete=models.PointIdsList(points=[2]))])
        self.assertEqual([r.status for r in results], ["completed"] * 8)
        points = self.client.scroll("c", with_vectors=True)[0]
        self.assertEqual([(p.id, p.payload, p.vector) for p in points],
                         [(0, {}, [9, 9, 9, 9]), (1, {"a": 1, "b": 2}, {}),
                          (3, {"only": 1}, [1, 2, 3, 4])])

    def test_writes_that_cannot_be(self):
        self.make()
        url = self.server.url + "/collections/c/points"
        for method, path, body, status, text in [
                ("PUT", "", {}, 400, "points and batch"),
                ("PUT", "", {"points": []}, 400, "Empty update request"),
                ("PUT", "", {"points": [{"id": 1}]}, 400, "points[0].vector"),
                ("PUT", "", {"points": [{"id": 1, "vector": ["a"]}]}, 400, "points[0].vector"),
                ("PUT", "", {"points": [{"id": 1, "vector": [1, 2, 3, 4], "payload": 7}]}, 400,
                 "points[0].payload"),
                ("PUT", "", {"points": [{"id": 1, "vector": {"text": "a", "model": "b"}}]}, 501,
                 "points[0].vector"),
                ("PUT", "", {"batch": {"ids": [1, 2], "vectors": [[1, 2, 3, 4]]}}, 400,
                 "1 vectors for 2 ids"),
                ("PUT", "", {"points": [{"id": 1, "vector": [1, 2, 3, 4]}], "shard_key": "k"}, 501,
                 "shard_key"),
                ("PUT", "?timeout=0", {"points": [{"id": 1, "vector": [1, 2, 3, 4]}]}, 400,
                 "timeout"),
                ("PUT", "?ordering=odd", {"points": [{"id": 1, "vector": [1, 2, 3, 4]}]}, 400,
                 "ordering"),
                ("POST", "/delete", {"points": []}, 400, "Empty update request"),
                ("POST", "/delete", {}, 400, "No filter or points provided"),
                ("POST", "/delete", {"filter": {"must": [{"key": "a"}]}}, 400, "filter.must[0]"),
                ("POST", "/payload", {"payload": {}, "points": [1], "key": "a..b"}, 400, "key"),
                ("POST", "/payload/delete", {"points": [1]}, 400, "keys"),
                ("POST", "/vectors/delete", {"points": [1], "vector": []}, 400, "vector"),
                ("POST", "/batch", {"operations": [{"upsert": {}, "delete": {}}]}, 400,
                 "operations[0]")]:
            with self.subTest(path=path, body=body):
                answer = httpx.request(method, url + path, json=body)
                self.assertEqual(answer.status_code, status, answer.text)
                self.assertIn(text, answer.json()["status"]["error"])
        malformed = httpx.put(url, content="{", headers={"Content-Type": "application/json"})
        self.assertEqual(malformed.status_code, 400)
        self.assertIn("status", malformed.json())
        self.assertEqual(httpx.delete(url).status_code, 405)
        self.assertEqual(self.client.count("c").count, 0)

    # ------------------------------------------------------------ reads

    def test_reads(self):
        self.fill()
        even = models.Filter(must=[models.FieldCondition(
            key="kind", match=models.MatchValue(value="even"))])
        self.assertEqual(self.client.count("c", count_filter=even, exact=False).count, 5)
        page, following = self.client.scroll("c", even, limit=2, offset=1, with_payload=["n"])
        self.assertEqual([(p.id, p.payload) for p in page], [(2, {"n": 2}), (4, {"n": 4})])
        self.assertEqual(following, 6)
        down = self.client.scroll("c", order_by=models.OrderBy(
            key="n", direction=models.Direction.DESC, start_from=4), limit=2)[0]
        self.assertEqual([(p.id, p.order_value) for p in down], [(4, 4), (3, 3)])
        facets = self.client.facet("c", "kind").hits
        self.assertEqual([(h.value, h.count) for h in facets], [("even", 5), ("odd", 5)])
        exclude = models.PayloadSelectorExclude(exclude=["inner", "kind"])
        self.assertEqual(self.client.retrieve("c", [3], with_payload=exclude)[0].payload, {"n": 3})
        # Messages cannot tell no payload from an empty one.
        nothing = {} if self.prefer_grpc else None
        self.assertEqual(self.client.retrieve("c", [3], with_payload=False)[0].payload, nothing)
        pairs = self.client.search_matrix_pairs("c", sample=10, limit=2).pairs
        self.assertEqual(len(pairs), 20)
        offsets = self.client.search_matrix_offsets("c", sample=10, limit=2)
        self.assertEqual((len(offsets.ids), len(offsets.scores)), (10, 20))

    def test_queries(self):
        self.fill()
        query = self.client.query_points
        self.assertEqual([p.id for p in query("c", [1.0, 0, 0, 0], limit=3).points], [9, 8, 7])
        self.assertEqual([p.id for p in query("c", 9, limit=2, offset=1).points], [7, 6])
        self.assertEqual([p.id for p in query("c", limit=2).points], [0, 1])
        fused = query("c", models.FusionQuery(fusion=models.Fusion.RRF), prefetch=[
            models.Prefetch(query=[1.0, 0, 0, 0], limit=5),
            models.Prefetch(query=[-1.0, 0, 0, 0], limit=5)]).points
        self.assertEqual({p.id for p in fused[:2]}, {0, 9})
        self.assertAlmostEqual(fused[0].score, 0.5)
        sampled = query("c", models.SampleQuery(sample=models.Sample.RANDOM), limit=10).points
        self.assertEqual({p.id for p in sampled}, set(range(10)))
        ordered = query("c", models.OrderByQuery(order_by="n"), limit=1).points
        self.assertEqual(ordered[0].order_value, 0)
        batch = self.client.query_batch_points("c", [
            models.QueryRequest(query=[1.0, 0, 0, 0], limit=1),
            models.QueryRequest(query=3, limit=1, with_payload=True)])
        self.assertEqual([r.points[0].id for r in batch], [9, 9])
        self.refused(404, "77", query, "c", 77)
        self.refused(400, "dimension", query, "c", [1.0])
        self.refused(400, "limit", query, "c", [1.0, 0, 0, 0], limit=10_001)

    def test_groups_and_their_lookup(self):
        self.fill()
        self.make("kinds")
        self.client.upsert("kinds", [models.PointStruct(id=n, vector=[1, 1, 1, 1],
                                                        payload={"name": str(n)})
                                     for n in (8, 9)])
        groups = self.client.query_points_groups(
            "c", "n", query=[1.0, 0, 0, 0], limit=3, group_size=2, with_payload=["n"],
            with_lookup=models.WithLookup(collection="kinds", with_payload=True)).groups
        self.assertEqual([(g.id, g.hits[0].payload["n"]) for g in groups], [(9, 9), (8, 8), (7, 7)])
        self.assertEqual([g.lookup and g.lookup.payload for g in groups],
                         [{"name": "9"}, {"name": "8"}, None])

    def test_older_forms_of_queries(self):
        """What clients before 1.16 send."""
        self.fill()
        for path, body, ids in [
                ("search", {"vector": [1, 0, 0, 0], "limit": 2}, [9, 8]),
                ("search", {"vector": {"name": "", "vector": [1, 0, 0, 0]}, "top": 1}, [9]),
                ("recommend", {"positive": [8], "limit": 2}, [9, 7]),
                ("discover", {"target": 8, "context": [{"positive": 9, "negative": 0}],
                              "limit": 1}, [7])]:
            url = f"{self.server.url}/collections/c/points/{path}"
            answer = httpx.post(url, json=body).json()
            self.assertEqual([p["id"] for p in answer["result"]], ids, answer)
            batch = httpx.post(url + "/batch", json={"searches": [body, body]}).json()
            self.assertEqual([[p["id"] for p in one] for one in batch["result"]], [ids, ids])
        for path, body in [("search", {"vector": [1, 0, 0, 0]}), ("recommend", {"positive": [8]})]:
            answer = httpx.post(f"{self.server.url}/collections/c/points/{path}/groups", json={
                **body, "group_by": "kind", "group_size": 1, "limit": 2}).json()
            self.assertEqual({g["id"] for g in answer["result"]["groups"]}, {"even", "odd"})

    def test_migrate_copies_a_collection(self):
        self.fill()
        target = support.local_client()
        self.client.migrate(target, collection_names=["c"])
        self.assertEqual(target.count("c").count, 10)
        target.delete_collection("c")
        target.create_collection("back", models.VectorParams(
            size=DIM, distance=models.Distance.DOT))
        target.upsert("back", [models.PointStruct(id=1, vector=[1, 2, 3, 4], payload={"a": [1]})])
        target.migrate(self.client, collection_names=["back"])
        self.assertEqual(self.client.retrieve("back", [1])[0].payload, {"a": [1]})

    # ------------------------------------------------------------ aliases

    def alias_changes(self, client, changes):
        """Makes ("create", alias, collection), ("delete", alias), ("rename", old, new) together."""
        actions = {
            "create": lambda alias, collection: models.CreateAliasOperation(
                create_alias=models.CreateAlias(alias_name=alias, collection_name=collection)),
            "delete": lambda alias: models.DeleteAliasOperation(
                delete_alias=models.DeleteAlias(alias_name=alias)),
            "rename": lambda old, new: models.RenameAliasOperation(
                rename_alias=models.RenameAlias(old_alias_name=old, new_alias_name=new))}
        return client.update_collection_aliases(
            [actions[kind](*names) for kind, *names in changes])

    def test_aliases(self):
        self.fill("one")
        self.fill("two", 3)
        self.assertTrue(self.alias_changes(self.client, [("create", "live", "one")]))
        self.assertEqual(self.client.count("live").count, 10)
        self.assertTrue(self.client.collection_exists("live"))
        self.client.upsert("live", [models.PointStruct(id=99, vector=[1, 1, 1, 1])])
        self.assertEqual(self.client.retrieve("one", [99])[0].id, 99)
        self.assertEqual(self.client.query_points("live", [1.0, 0, 0, 0], limit=1).points[0].id, 9)
        self.alias_changes(self.client, [("delete", "live"), ("create", "live", "two")])
        self.assertEqual(self.client.count("live").count, 3)
        self.refused(409, "exists", self.alias_changes, self.client, [("create", "one", "two")])
        self.refused(404, "none", self.alias_changes, self.client, [("create", "x", "none")])
        self.refused(409, "alias", self.make, "live")
        self.assertFalse(self.client.delete_collection("live"))
        self.client.delete_collection("two")
        self.assertEqual(self.client.get_aliases().aliases, [])

    def test_aliases_are_as_in_local_mode(self):
        """Random changes of few names, one after the other and in batches."""
        rng = random.Random(support.seed())
        local = support.local_client()
        for client in (self.client, local):
            for name in "ab":
                client.create_collection(name, models.VectorParams(
                    size=2, distance=models.Distance.DOT))
        done = 0
        for step in range(150):
            changes = []
            for _ in range(1 + rng.randrange(3)):
                one, two = rng.choice("abcdef"), rng.choice("abcdef")
                changes.append(rng.choice([("create", one, two), ("delete", one),
                                           ("rename", one, two)]))
            outcomes = []
            for client in (self.client, local):
                try:
                    outcomes.append(self.alias_changes(client, changes))
                except (ValueError, UnexpectedResponse, grpc.RpcError):
                    outcomes.append("refused")
            self.assertEqual(outcomes[0], outcomes[1], changes)
            done += outcomes[0] is True
            every = [{(a.alias_name, a.collection_name) for a in client.get_aliases().aliases}
                     for client in (self.client, local)]
            self.assertEqual(every[0], every[1], changes)
            for name in "ab":
                of = [{a.alias_name for a in client.get_collection_aliases(name).aliases}
                      for client in (self.client, local)]
                self.assertEqual(of[0], of[1])
        self.assertGreater(done, 20)

    # ------------------------------------------------------------ vectors that come and go

    def test_vectors_come_and_go(self):
        self.client.create_collection("c", {"a": models.VectorParams(
            size=2, distance=models.Distance.DOT)})
        self.client.upsert("c", [models.PointStruct(id=i, vector={"a": [float(i), 1]})
                                 for i in range(5)])
        dense = models.DenseVectorNameConfig(dense=models.DenseVectorConfig(
            size=3, distance=models.Distance.COSINE, datatype=models.Datatype.FLOAT16))
        sparse = models.SparseVectorNameConfig(sparse=models.SparseVectorConfig(
            modifier=models.Modifier.IDF))
        multi = models.DenseVectorNameConfig(dense=models.DenseVectorConfig(
            size=2, distance=models.Distance.DOT, multivector_config=models.MultiVectorConfig(
                comparator=models.MultiVectorComparator.MAX_SIM)))
        for name, config in (("late", dense), ("terms", sparse), ("rows", multi)):
            self.assertEqual(self.client.create_vector_name("c", name, config, wait=True).status,
                             models.UpdateStatus.COMPLETED)
        params = self.client.get_collection("c").config.params
        self.assertEqual(set(params.vectors), {"a", "late", "rows"})
        self.assertEqual(params.vectors["late"].datatype, models.Datatype.FLOAT16)
        self.assertEqual(params.sparse_vectors["terms"].modifier, models.Modifier.IDF)
        self.assertEqual(self.client.query_points("c", [1.0, 0, 0], using="late").points, [])
        self.client.update_vectors("c", [models.PointVectors(id=3, vector={
            "late": [3.0, 0, 0], "rows": [[1.0, 2], [3, 4]],
            "terms": models.SparseVector(indices=[7], values=[1])})])
        for query, using in (([1.0, 0, 0], "late"), ([[1.0, 1]], "rows"),
                             (models.SparseVector(indices=[7], values=[1]), "terms")):
            found = self.client.query_points("c", query, using=using).points
            self.assertEqual([point.id for point in found], [3], using)
        self.refused(409, "late", self.client.create_vector_name, "c", "late", dense)
        self.client.delete_vector_name("c", "late")
        self.assertNotIn("late", self.client.get_collection("c").config.params.vectors)
        self.refused(400, "late", self.client.query_points, "c", [1.0, 0, 0], using="late")
        self.refused(400, "late", self.client.delete_vector_name, "c", "late")
        self.assertNotIn("late", self.client.retrieve("c", [3], with_vectors=True)[0].vector)
        self.client.create_vector_name("c", "late", models.DenseVectorNameConfig(
            dense=models.DenseVectorConfig(size=4, distance=models.Distance.EUCLID)))
        self.assertIsNone(self.client.get_collection("c").config.params.vectors["late"].datatype)
        self.assertEqual(self.client.count("c", count_filter=models.Filter(must=[
            models.HasVectorCondition(has_vector="late")])).count, 0)

    # ------------------------------------------------------------ snapshots

    def snapshot_path(self, name, collection="c"):
        return (f"file://{self.server.folder.name}/data/collection-snapshots/default/{collection}/{name}")

    def made_snapshot(self):
        """A snapshot of "c" that goes with the test: it would outlive its collection."""
        made = self.client.create_snapshot("c")
        self.addCleanup(httpx.delete, f"{self.server.url}/collections/c/snapshots/{made.name}")
        return made

    def test_snapshots(self):
        self.fill(count=50)
        self.client.create_payload_index("c", "n", models.PayloadSchemaType.INTEGER)
        self.client.update_collection("c", metadata={"owner": "ada"})
        self.assertEqual(self.client.list_snapshots("c"), [])
        made = self.made_snapshot()
        self.assertEqual([s.name for s in self.client.list_snapshots("c")], [made.name])
        content = httpx.get(f"{self.server.url}/collections/c/snapshots/{made.name}").content
        self.assertEqual(len(content), made.size)
        self.assertEqual(hashlib.sha256(content).hexdigest(), made.checksum)
        before = self.client.scroll("c", limit=100, with_vectors=True)[0]
        self.client.delete("c", models.Filter(must=[
            models.FieldCondition(key="n", range=models.Range(gte=10))]))
        self.assertEqual(self.client.count("c").count, 10)
        self.refused(400, "SHA-256", self.client.recover_snapshot, "c",
                     self.snapshot_path(made.name), checksum="0" * 64)
        self.assertTrue(self.client.recover_snapshot(
            "c", self.snapshot_path(made.name), checksum=made.checksum,
            priority=models.SnapshotPriority.SNAPSHOT, wait=True))
        self.assertEqual(self.client.scroll("c", limit=100, with_vectors=True)[0], before)
        info = self.client.get_collection("c")
        self.assertIn("n", info.payload_schema)
        self.assertEqual(info.config.metadata, {"owner": "ada"})
        self.client.recover_snapshot("copy", self.snapshot_path(made.name), wait=True)
        self.assertEqual(self.client.count("copy").count, 50)
        self.client.delete_snapshot("c", made.name)
        self.assertEqual(self.client.list_snapshots("c"), [])
        self.refused(404, made.name, self.client.delete_snapshot, "c", made.name)
        self.refused(404, "none", self.client.create_snapshot, "none")

    def test_snapshots_are_uploaded(self):
        self.fill(count=20)
        made = self.made_snapshot()
        url = f"{self.server.url}/collections/c/snapshots"
        content = httpx.get(f"{url}/{made.name}").content
        self.client.delete("c", [1, 2, 3])

        def upload(bytes_, **query):
            return httpx.post(f"{url}/upload", params=query, timeout=30,
                              files={"snapshot": ("any name", bytes_)})
        answer = upload(content, checksum=made.checksum, priority="snapshot", wait="true")
        self.assertEqual((answer.status_code, answer.json()["result"]), (200, True), answer.text)
        self.assertEqual(self.client.count("c").count, 20)
        for bytes_, query in ((content[:-1], {}), (content, {"checksum": "0" * 64}),
                              (content, {"priority": "most"}), (b"tar", {})):
            self.assertEqual(upload(bytes_, **query).status_code, 400)
        self.assertIn("quipu import qdrant", upload(b"x" * 4096).json()["status"]["error"])
        self.assertEqual(httpx.post(f"{url}/upload", content=b"{}", headers={
            "Content-Type": "application/json"}).status_code, 415)
        self.assertEqual(self.client.count("c").count, 20)

    def test_locations_stay_inside(self):
        self.fill(count=3)
        made = self.made_snapshot()
        good = self.snapshot_path(made.name)
        folder = good.removesuffix("/" + made.name)
        for location in ("file:///etc/passwd", f"{folder}/../../../QUIPU", "file://", "s",
                         f"{folder}/../c", folder, f"{folder}/.hidden.snapshot"):
            self.refused(400, "location", self.client.recover_snapshot, "c", location)
        self.refused(404, "no snapshot", self.client.recover_snapshot, "c",
                     f"{folder}/absent.snapshot")
        self.refused(501, "not fetched", self.client.recover_snapshot, "c",
                     "http://localhost/s.snapshot")
        for name in ("..%2F..%2FQUIPU", "a%2Fb.snapshot", ".snapshot", "plain"):
            answer = httpx.get(f"{self.server.url}/collections/c/snapshots/{name}")
            self.assertEqual(answer.status_code, 400, name)
        self.assertEqual(self.client.count("c").count, 3)

    # ------------------------------------------------------------ the page of documentation

    def test_the_page_lists_what_answers_501(self):
        """Every path of the client's own list answers 501 exactly when docs/qdrant.md says so."""
        page = (support.ROOT / "docs" / "qdrant.md").read_text()
        listed = set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", page, re.M))
        folder = pathlib.Path(inspect.getfile(QdrantClient)).parent / "http" / "api"
        paths = set()
        for source in folder.glob("*_api.py"):
            paths |= set(re.findall(r'method="([A-Z]+)",\s+url="([^"]+)"', source.read_text()))
        self.assertGreater(len(paths), 60)
        self.make()
        unbuilt = set()
        for method, path in sorted(paths):
            url = self.server.url + path.format(
                collection_name="c", shard_id=0, snapshot_name="s", peer_id=1, id=1,
                field_name="f", vector_name="v")
            drops = (method, path) == ("DELETE", "/collections/{collection_name}")
            answer = httpx.request(method, url + ("none" if drops else ""))
            self.assertTrue(answer.status_code < 500 or answer.status_code == 501, answer.text)
            self.assertNotIn("path_not_found", answer.text)
            if answer.status_code == 501:
                unbuilt.add(f"{method} {path}")
                self.assertIn("not built", answer.json()["status"]["error"])
        self.assertEqual(unbuilt, listed)


class GrpcClientTest(ClientTest):
    """The same over gRPC. What the client has no gRPC for, it asks over REST here too."""
    prefer_grpc = True
    # These speak REST by themselves.
    test_every_method_is_accounted_for = None
    test_older_forms_of_queries = None
    test_the_page_lists_what_answers_501 = None
    test_writes_that_cannot_be = None

    def test_older_calls(self):
        """What clients before 1.16 send."""
        self.fill()
        stub = self.client.grpc_points
        search = {"collection_name": "c", "vector": [1, 0, 0, 0], "limit": 2}
        recommend = {"collection_name": "c", "positive": [messages.PointId(num=8)], "limit": 2}

        def example(number):
            return messages.VectorExample(id=messages.PointId(num=number))
        discover = {"collection_name": "c", "target": messages.TargetVector(single=example(8)),
                    "context": [messages.ContextExamplePair(positive=example(9),
                                                            negative=example(0))], "limit": 1}
        for name, request, ids in [("Search", search, [9, 8]), ("Recommend", recommend, [9, 7]),
                                   ("Discover", discover, [7])]:
            one = getattr(messages, name + "Points")(**request)
            answer = getattr(stub, name)(one)
            self.assertEqual([point.id.num for point in answer.result], ids)
            self.assertGreaterEqual(answer.time, 0)
            batch = getattr(messages, name + "BatchPoints")(
                collection_name="c", **{name.lower() + "_points": [one, one]})
            answers = getattr(stub, name + "Batch")(batch)
            self.assertEqual([[point.id.num for point in each.result]
                              for each in answers.result], [ids, ids])
            if name == "Discover":
                continue
            grouped = getattr(messages, name + "PointGroups")(
                **request, group_by="kind", group_size=1)
            groups = getattr(stub, name + "Groups")(grouped).result.groups
            self.assertEqual({group.id.string_value for group in groups}, {"even", "odd"})

    def test_older_vectors(self):
        """The fields that are deprecated: one list of numbers, and beside it what it is."""
        self.client.create_collection(
            "c", vectors_config={
                "d": models.VectorParams(size=2, distance=models.Distance.DOT),
                "m": models.VectorParams(size=2, distance=models.Distance.DOT,
                                         multivector_config=models.MultiVectorConfig(
                                             comparator=models.MultiVectorComparator.MAX_SIM))},
            sparse_vectors_config={"s": models.SparseVectorParams()})
        vectors = messages.Vectors(vectors=messages.NamedVectors(vectors={
            "d": messages.Vector(data=[1, 2]),
            "m": messages.Vector(data=[1, 2, 3, 4], vectors_count=2),
            "s": messages.Vector(data=[5], indices=messages.SparseIndices(data=[9]))}))
        self.client.grpc_points.Upsert(messages.UpsertPoints(collection_name="c", points=[
            messages.PointStruct(id=messages.PointId(num=1), vectors=vectors)]))
        point = self.client.retrieve("c", [1], with_vectors=True)[0]
        self.assertEqual(point.vector, {"d": [1, 2], "m": [[1, 2], [3, 4]],
                                        "s": models.SparseVector(indices=[9], values=[5])})

    def test_writes_that_cannot_be_read(self):
        self.make()
        stub = self.client.grpc_points
        point = {"id": messages.PointId(num=1),
                 "vectors": messages.Vectors(vector=messages.Vector(
                     dense=messages.DenseVector(data=[1, 2, 3, 4])))}
        document = messages.Vectors(vector=messages.Vector(
            document=messages.Document(text="a", model="b")))
        endless = {"x": messages.Value(double_value=float("inf"))}
        one = messages.PointsSelector(points=messages.PointsIdsList(ids=[messages.PointId(num=1)]))
        upsert = messages.UpsertPoints
        for call, request, status, text in [
                (stub.Upsert, upsert(), 400, "Empty update request"),
                (stub.Upsert, upsert(points=[messages.PointStruct()]), 400, "points[0].id"),
                (stub.Upsert, upsert(points=[messages.PointStruct(id=messages.PointId(num=1))]),
                 400, "points[0].vector"),
                (stub.Upsert, upsert(points=[messages.PointStruct(
                    id=messages.PointId(num=1), vectors=document)]), 501, "points[0].vector"),
                (stub.Upsert, upsert(points=[messages.PointStruct(**point, payload=endless)]),
                 400, "points[0].payload.x"),
                (stub.Upsert, upsert(points=[messages.PointStruct(**point)], timeout=0), 400,
                 "timeout"),
                (stub.Upsert, upsert(points=[messages.PointStruct(**point)], update_mode=9), 400,
                 "update_mode"),
                (stub.Upsert, upsert(
                    points=[messages.PointStruct(**point)],
                    shard_key_selector=messages.ShardKeySelector(
                        shard_keys=[messages.ShardKey(keyword="k")])), 501, "shard_key"),
                (stub.Delete, messages.DeletePoints(), 400, "No filter or points provided"),
                (stub.Delete, messages.DeletePoints(points=messages.PointsSelector(
                    points=messages.PointsIdsList())), 400, "Empty update request"),
                (stub.SetPayload, messages.SetPayloadPoints(points_selector=one, key="a..b"), 400,
                 "key"),
                (stub.DeleteVectors, messages.DeletePointVectors(points_selector=one), 400,
                 "vector"),
                (stub.UpdateBatch, messages.UpdateBatchPoints(
                    operations=[messages.PointsUpdateOperation()]), 400, "operations[0]"),
                (stub.Query, messages.QueryPoints(query=messages.Query()), 400, "query"),
                (stub.Search, messages.SearchPoints(vector=[1, 2, 3, 4]), 400, "limit"),
                (stub.Scroll, messages.ScrollPoints(limit=0), 400, "limit"),
                (stub.Count, messages.CountPoints(filter=messages.Filter(
                    must=[messages.Condition()])), 400, "filter.must[0]")]:
            with self.subTest(request=request):
                request.collection_name = "c"
                self.refused(status, text, call, request)
        self.assertEqual(self.client.count("c").count, 0)


if __name__ == "__main__":
    unittest.main()
