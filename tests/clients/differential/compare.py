"""When two answers are the same: scores within a tolerance, equal scores in any order."""
import math

TOLERANCE = 1e-4
# Whether no payload and an empty one are the same, as messages of gRPC cannot tell them apart.
EMPTY_IS_NONE = False


class Difference(AssertionError):
    """The two differ. The message says in what."""


def close(a, b):
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def plain(value):
    """Models as plain values, so that an integer and a float of one number are equal."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def same_payload(ours, theirs):
    return (ours or {}) == (theirs or {}) if EMPTY_IS_NONE else ours == theirs


def same_vectors(ours, theirs):
    """Numbers of vectors, of any kind and nesting, within the tolerance."""
    ours, theirs = plain(ours), plain(theirs)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(
            same_vectors(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(
            same_vectors(a, b) for a, b in zip(ours, theirs))
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        return close(ours, theirs)
    return ours == theirs


def check_records(ours, theirs):
    """Equal points in equal order."""
    if [point.id for point in ours] != [point.id for point in theirs]:
        raise Difference(f"ids {[p.id for p in ours]} against {[p.id for p in theirs]}")
    for mine, other in zip(ours, theirs):
        if not same_payload(mine.payload, other.payload):
            raise Difference(f"payload of {mine.id}: {mine.payload} against {other.payload}")
        if not same_vectors(mine.vector, other.vector):
            raise Difference(f"vector of {mine.id}: {mine.vector} against {other.vector}")


def check_hits(ours, whole, limit, offset=0):
    """Whether `ours` is a right answer, where `whole` is the oracle's without a limit."""
    wanted = whole[offset:offset + limit]
    shown = f"{[(p.id, p.score) for p in ours]} against {[(p.id, p.score) for p in wanted]}"
    if len(ours) != len(wanted):
        raise Difference(f"{len(ours)} hits against {len(wanted)}: {shown}")
    if len({point.id for point in ours}) != len(ours):
        raise Difference(f"a point is there twice: {shown}")
    by_id = {point.id: point for point in whole}
    for place, (mine, other) in enumerate(zip(ours, wanted)):
        if not close(mine.score, other.score):
            raise Difference(f"the score at {place}: {shown}")
        same = by_id.get(mine.id)
        if same is None or not close(mine.score, same.score):
            raise Difference(f"{mine.id} has another score: {shown}")
        if not same_payload(mine.payload, same.payload):
            raise Difference(f"payload of {mine.id}: {mine.payload} against {same.payload}")
        if not same_vectors(mine.vector, same.vector):
            raise Difference(f"vector of {mine.id}: {mine.vector} against {same.vector}")
