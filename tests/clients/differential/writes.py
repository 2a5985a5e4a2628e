"""Random writes: each is done by the server and by the oracle, which must agree on whether it can
be done; afterwards they must hold the same points."""
from qdrant_client import models

from . import generate


def point(rng, collection, missing=0.2):
    payload = generate.payload(rng) if rng.random() < 0.9 else None
    return models.PointStruct(id=generate.point_id(rng), payload=payload,
                              vector=collection.random_vectors(rng, missing))


def selector(rng, collection):
    if rng.random() < 0.6:
        return generate.ids(rng)
    return generate.random_filter(rng, collection)


def update_mode(rng):
    return rng.choice([None, None, *models.UpdateMode])


def upsert(rng, collection):
    points = [point(rng, collection) for _ in range(rng.randrange(1, 8))]
    only_if = generate.maybe_filter(rng, collection, 0.2)
    mode = update_mode(rng)
    if only_if is not None or mode is not None:  # a deviation
        points = list({point.id: point for point in points}.values())
    return lambda client, name: client.upsert(name, points, update_filter=only_if,
                                              update_mode=mode)


def upsert_columns(rng, collection):
    count = rng.randrange(1, 6)
    ids = rng.sample(range(generate.IDS), count)
    vectors = {name: [collection.random_vector(rng, name) for _ in ids]
               for name in collection.names}
    if list(vectors) == [""]:
        vectors = vectors[""]
    payloads = [generate.payload(rng) for _ in ids]
    batch = models.Batch(ids=ids, vectors=vectors, payloads=payloads)
    return lambda client, name: client.upsert(name, batch)


def delete(rng, collection):
    # Mostly a few: a collection without points tests little.
    points = generate.ids(rng, 4) if rng.random() < 0.8 else models.FilterSelector(
        filter=models.Filter(must=[generate.field_condition(rng), generate.field_condition(rng)]))
    return lambda client, name: client.delete(name, points)


def with_nulls(rng, payload):
    return {key: None if rng.random() < 0.15 else value for key, value in payload.items()}


def set_payload(rng, collection):
    payload = with_nulls(rng, generate.payload(rng, depth=1))
    points = selector(rng, collection)
    key = rng.choice([None, None, "inner", "items[]", "items[0]", "fresh.deep", "tag", "inner.tag"])
    return lambda client, name: client.set_payload(name, payload, points, key=key)


def overwrite_payload(rng, collection):
    payload, points = generate.payload(rng), selector(rng, collection)
    return lambda client, name: client.overwrite_payload(name, payload, points)


def delete_payload(rng, collection):
    keys = [generate.key_path(rng, rng.choice(generate.KEYS)) for _ in range(rng.randrange(1, 4))]
    points = selector(rng, collection)
    return lambda client, name: client.delete_payload(name, keys, points)


def clear_payload(rng, _):
    points = generate.ids(rng, 3)
    return lambda client, name: client.clear_payload(name, points)


def point_vectors(rng, collection):
    made = {}
    while not made:
        vectors = collection.random_vectors(rng, 0.4)
        made = vectors
    return models.PointVectors(id=generate.point_id(rng), vector=made)


def update_vectors(rng, collection):
    points = [point_vectors(rng, collection) for _ in range(rng.randrange(1, 4))]
    only_if = generate.maybe_filter(rng, collection, 0.2)
    return lambda client, name: client.update_vectors(name, points, update_filter=only_if)


def delete_vectors(rng, collection):
    names = rng.sample(collection.names, rng.randrange(1, len(collection.names) + 1))
    points = selector(rng, collection) if rng.random() < 0.2 else generate.ids(rng, 3)
    return lambda client, name: client.delete_vectors(name, names, points)


def as_points_selector(chosen):
    if isinstance(chosen, list):
        return models.PointIdsList(points=chosen)
    return models.FilterSelector(filter=chosen)


def operation(rng, collection):
    """One of a batch."""
    kind = rng.randrange(6)
    chosen = selector(rng, collection)
    where = {"points": chosen} if isinstance(chosen, list) else {"filter": chosen}
    if kind == 0:
        return models.UpsertOperation(upsert=models.PointsList(
            points=[point(rng, collection) for _ in range(rng.randrange(1, 4))]))
    if kind == 1:
        return models.SetPayloadOperation(set_payload=models.SetPayload(
            payload=generate.payload(rng, 1), **where))
    if kind == 2:
        return models.OverwritePayloadOperation(overwrite_payload=models.SetPayload(
            payload=generate.payload(rng, 1), **where))
    if kind == 3:
        return models.DeletePayloadOperation(delete_payload=models.DeletePayload(
            keys=[generate.key_path(rng, rng.choice(generate.KEYS))], **where))
    if kind == 4:
        return models.UpdateVectorsOperation(update_vectors=models.UpdateVectors(
            points=[point_vectors(rng, collection)]))
    return models.DeleteVectorsOperation(delete_vectors=models.DeleteVectors(
        vector=[rng.choice(collection.names)], points=generate.ids(rng, 3)))


def batch(rng, collection):
    operations = [operation(rng, collection) for _ in range(rng.randrange(1, 4))]
    return lambda client, name: client.batch_update_points(name, operations)


KINDS = [upsert, upsert, upsert, upsert_columns, delete, set_payload, set_payload,
         overwrite_payload, delete_payload, clear_payload, update_vectors, delete_vectors, batch]


def random_write(rng, collection):
    """A name for messages, and a function of a client and a collection's name."""
    kind = rng.choice(KINDS)
    return kind.__name__, kind(rng, collection)
