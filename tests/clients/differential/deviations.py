"""Where Quipu differs from the client's local mode by intent. At most 15, each with its source; any
other difference fails the test. What is listed here is not generated, or the test says how it is
compared."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    what: str
    source: str


DEVIATIONS = [
    Deviation(
        "A conditional upsert with several points of one id: the conditions are judged once, before "
        "all of its points, and the last point of the id wins. Local mode writes them in turn.",
        "the server's lib/shard/src/update/points/upsert.rs: retain_conditional_upsert_points(), "
        "then a map from ids to points"),
    Deviation(
        "with_payload by the index of an element, a[0].b: the element is chosen. The server and "
        "local mode choose nothing of the array by an index.",
        "the server's lib/segment/src/json_path/mod.rs, check_include_pattern(): elements are always "
        "a[]; nobody can want that answer"),
    Deviation(
        "Dbsf of distances: the smallest distance counts as the best, as in every other ranking.",
        "the server's issue 10611 and pull request 10620"),
    Deviation(
        "Groups: a value that names no group (null, a boolean, a number with a fraction) is left out. "
        "The server and local mode leave out the whole point, with its other values.",
        "the server's lib/shard/src/grouping/aggregator.rs: AggregatorError::BadKeyType"),
    Deviation(
        "score_threshold of recommend by best_score or sum_scores, discover, context and feedback: "
        "lower scores are left out, whatever the metric. The server and local mode compare these "
        "scores, of which more is better, in the direction of the metric's distance.",
        "the server's lib/collection/src/shards/local_shard/search.rs: distance.check_threshold()"),
    Deviation(
        "Mmr over sparse vectors with idf: the likeness to the query is that of the ranking, with "
        "idf. The server and local mode take the bare dot product here.",
        "the server's lib/shard/src/query/mmr/mod.rs, relevance_similarities()"),
    Deviation(
        "Recommend without any example is refused. Local mode answers no points, or fails by an "
        "accident of numpy.",
        "the server's lib/collection/src/recommendations.rs refuses it too"),
    Deviation(
        "A vector of length 0 is refused for cosine, which needs a direction. The server and local "
        "mode store it as it is.",
        "src/quipu/engine/canonical.h: no answer could rank it"),
]
