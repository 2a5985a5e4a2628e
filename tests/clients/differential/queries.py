"""Random queries, as arguments of query_points()."""
from qdrant_client import models

from . import generate

EXACT = models.SearchParams(exact=True)


def target(rng, collection, using):
    """A vector, or the id of a point, which may not be there."""
    if rng.random() < 0.25:
        return generate.point_id(rng)
    return collection.random_vector(rng, using)


def nearest(rng, collection, using):
    return target(rng, collection, using)


def mmr(rng, collection, using):
    return models.NearestQuery(
        nearest=target(rng, collection, using),
        mmr=models.Mmr(diversity=round(rng.random(), 2), candidates_limit=rng.randrange(1, 30)))


def recommend(rng, collection, using):
    strategy = rng.choice([None, *models.RecommendStrategy])
    least = 1 if strategy in (None, models.RecommendStrategy.AVERAGE_VECTOR) else 0
    positive = [target(rng, collection, using) for _ in range(rng.randrange(least, 4))]
    # No example at all is a deviation.
    negative = [target(rng, collection, using)
                for _ in range(rng.randrange(0 if positive else 1, 3))]
    return models.RecommendQuery(recommend=models.RecommendInput(
        positive=positive, negative=negative, strategy=strategy))


def pairs(rng, collection, using):
    return [models.ContextPair(positive=target(rng, collection, using),
                               negative=target(rng, collection, using))
            for _ in range(rng.randrange(1, 4))]


def discover(rng, collection, using):
    return models.DiscoverQuery(discover=models.DiscoverInput(
        target=target(rng, collection, using), context=pairs(rng, collection, using)))


def context(rng, collection, using):
    return models.ContextQuery(context=pairs(rng, collection, using))


def feedback(rng, collection, using):
    items = [models.FeedbackItem(example=target(rng, collection, using),
                                 score=round(rng.random(), 2)) for _ in range(rng.randrange(2, 4))]
    naive = models.NaiveFeedbackStrategyParams(a=1.0, b=round(rng.random(), 2),
                                               c=round(rng.random(), 2))
    return models.RelevanceFeedbackQuery(relevance_feedback=models.RelevanceFeedbackInput(
        target=target(rng, collection, using), feedback=items,
        strategy=models.NaiveFeedbackStrategy(naive=naive)))


def usable(rng, collection, names=None):
    return rng.choice(names or collection.names)


def prefetch(rng, collection, names=None, depth=0):
    using = usable(rng, collection, names)
    # Sparse examples that share nothing with a point score 0: too many equals for a ranking.
    kinds = [nearest] if using in collection.sparse else [nearest, nearest, recommend]
    made = {"using": using or None, "params": EXACT, "limit": rng.randrange(1, 20),
            "query": rng.choice(kinds)(rng, collection, using)}
    if rng.random() < 0.3:
        # A `must` alone: the filters of several stages mean the same however they are joined.
        made["filter"] = models.Filter(must=[generate.field_condition(rng)])
    if depth < 1 and rng.random() < 0.2:
        made["prefetch"] = prefetch(rng, collection, names, depth + 1)
    return models.Prefetch(**made)


def prefetches(rng, collection, names=None):
    return [prefetch(rng, collection, names) for _ in range(rng.randrange(1, 4))]


def fusion(rng, collection):
    similar = [name for name in collection.names
               if collection.distance(name) in (models.Distance.COSINE, models.Distance.DOT)]
    if similar and rng.random() < 0.4:
        return {"query": models.FusionQuery(fusion=models.Fusion.DBSF),
                "prefetch": prefetches(rng, collection, similar)}
    sources = prefetches(rng, collection)
    if rng.random() < 0.5:
        return {"query": models.FusionQuery(fusion=models.Fusion.RRF), "prefetch": sources}
    weights = [round(rng.uniform(0, 2), 1) for _ in sources] if rng.random() < 0.5 else None
    return {"query": models.RrfQuery(rrf=models.Rrf(k=rng.choice([None, 1, 10, 60]),
                                                    weights=weights)),
            "prefetch": sources}


def formula(rng, collection):
    sources = prefetches(rng, collection)
    parts = [f"$score[{rng.randrange(len(sources))}]",
             models.MultExpression(mult=[round(rng.uniform(-1, 1), 2), "weight"]),
             models.FieldCondition(key="tag", match=models.MatchValue(value="a"))]
    if rng.random() < 0.5:
        parts.append(models.ExpDecayExpression(exp_decay=models.DecayParamsExpression(
            x="count", target=2.0, scale=3.0)))
    if rng.random() < 0.3:
        parts.append(models.AbsExpression(abs=models.NegExpression(neg="count")))
    return {"query": models.FormulaQuery(formula=models.SumExpression(sum=parts),
                                         defaults={"weight": 0.5, "count": 1}),
            "prefetch": sources}


def rescored(rng, collection):
    using = usable(rng, collection)
    return {"query": nearest(rng, collection, using), "using": using or None,
            "prefetch": prefetches(rng, collection)}


def plain(rng, collection):
    kinds = [nearest, nearest, recommend, recommend, discover, context]
    using = usable(rng, collection)
    if using != "weighted":  # a deviation
        kinds.append(mmr)
    if using in collection.dense:
        kinds.append(feedback)
    return {"query": rng.choice(kinds)(rng, collection, using), "using": using or None}


def threshold_deviates(made, collection):
    query = made["query"]
    nearest_like = (isinstance(query, (list, int, str, models.SparseVector, models.NearestQuery))
                    or "prefetch" in made)
    if nearest_like:
        return False
    distance = collection.distance(made["using"] or "")
    return distance in (models.Distance.EUCLID, models.Distance.MANHATTAN)


def random_query(rng, collection):
    made = rng.choice([plain, plain, plain, plain, fusion, formula, rescored])(rng, collection)
    made["query_filter"] = generate.maybe_filter(rng, collection, 0.3)
    if "prefetch" in made and made["query_filter"] is not None:
        made["query_filter"] = models.Filter(must=[generate.field_condition(rng)])
    if rng.random() < 0.15 and not threshold_deviates(made, collection):
        made["score_threshold"] = round(rng.uniform(-1, 2), 3)
    made["with_payload"] = selection(rng)
    made["with_vectors"] = vectors(rng, collection)
    made["search_params"] = EXACT
    return {key: value for key, value in made.items() if value is not None}


def selection(rng):
    keys = [generate.key_path(rng, rng.choice(generate.KEYS)) for _ in range(rng.randrange(3))]
    keys = [key for key in keys if "[0]" not in key]  # a deviation
    return rng.choice([True, True, False, keys, models.PayloadSelectorInclude(include=keys),
                       models.PayloadSelectorExclude(exclude=keys)])


def vectors(rng, collection):
    return rng.choice([False, False, True,
                       rng.sample(collection.names, rng.randrange(len(collection.names) + 1))])
