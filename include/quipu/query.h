// What a query asks of a collection: one tree of stages, as plain values.
//
// A stage finds points and gives each a score. Without `prefetch` it looks through the whole
// collection (what passes its filter); with it, only at the points that its prefetches found, which
// it scores anew or fuses. So "words and meaning, fused, then judged by a formula" is a formula
// over a fusion over two leaves. The language is Qdrant's query API; where it is silent, the
// comments here decide.
//
//   QueryStage stage;
//   stage.query = FusionQuery{.kind = FusionKind::kRrf};
//   stage.prefetch = {{.query = NearestQuery{.input = TextInput{"rivers of Peru"}}, .limit = 50},
//                     {.query = NearestQuery{.input = TextInput{"rivers of Peru"}},
//                      .using_name = "words"}};
//
// Filters: a stage's filter holds for its own leaves too, so no result violates the filter of any
// stage above it. Threads: values; as any other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "quipu/filter.h"
#include "quipu/ids.h"

namespace quipu {

// ---------------------------------------------------------------- what a query is made of

// A sparse vector: ascending, distinct dimensions and as many finite weights.
struct SparseValues {
  std::vector<std::uint32_t> indices;
  std::vector<float> values;
  friend bool operator==(const SparseValues&, const SparseValues&) = default;
};

// Rows of one dimension, one after the other; at least one row. Compared by max-sim: for each row
// of the query the best of the point's rows, added up.
struct MultiValues {
  std::uint32_t rows = 0;
  std::vector<float> values;  // rows * dim
  friend bool operator==(const MultiValues&, const MultiValues&) = default;
};

// Embedded by the vector's model as a query, or analyzed into words where `using` names words.
struct TextInput {
  std::string text;
  std::string model;    // what the caller takes to embed it; "": whatever the vector says
  std::string options;  // for that model: a JSON object, or ""
  friend bool operator==(const TextInput&, const TextInput&) = default;
};

// What stands for a vector. A PointId stands for that point's vector, and leaves the point itself
// out of the answer.
using VectorInput = std::variant<std::vector<float>, SparseValues, MultiValues, PointId, TextInput>;

// Maximal marginal relevance (Carbonell, Goldstein: SIGIR 1998): hits that are like the query and
// unlike each other.
struct Mmr {
  double diversity = 0.5;      // 0: only likeness to the query counts; 1: only difference
  std::size_t candidates = 0;  // how many hits to choose from; 0: the limit
  friend bool operator==(const Mmr&, const Mmr&) = default;
};

// The points most like the input. Scores: similarity or distance, as the vector's metric.
struct NearestQuery {
  VectorInput input;
  std::optional<Mmr> mmr;
  friend bool operator==(const NearestQuery&, const NearestQuery&) = default;
};

enum class RecommendStrategy : std::uint8_t {
  kAverageVector,  // nearest to mean(positive) + mean(positive) - mean(negative)
  kBestScore,      // by the best positive, or below zero by the best negative
  kSumScores,      // sum over the positives minus sum over the negatives
};
// Points like the positive ones and unlike the negative ones, which are left out themselves.
// kAverageVector needs a positive; the others need one of either.
struct RecommendQuery {
  std::vector<VectorInput> positive;
  std::vector<VectorInput> negative;
  RecommendStrategy strategy = RecommendStrategy::kAverageVector;
  friend bool operator==(const RecommendQuery&, const RecommendQuery&) = default;
};

struct ContextPair {
  VectorInput positive;
  VectorInput negative;
  friend bool operator==(const ContextPair&, const ContextPair&) = default;
};
// Points near the target among those that most pairs find on their positive side: the score is the
// number of such pairs minus that of the others, plus a likeness to the target below 1.
struct DiscoverQuery {
  VectorInput target;
  std::vector<ContextPair> context;
  friend bool operator==(const DiscoverQuery&, const DiscoverQuery&) = default;
};
// Points that no pair finds on its negative side: 0 is best, and each pair takes away by how much.
struct ContextQuery {
  std::vector<ContextPair> context;  // at least one
  friend bool operator==(const ContextQuery&, const ContextQuery&) = default;
};

// What a judge (a person, a reranker) thought of one example: more is better.
struct Feedback {
  VectorInput example;
  double score = 0;
  friend bool operator==(const Feedback&, const Feedback&) = default;
};
// Points near the target, drawn towards what was judged better: a * likeness to the target, plus
// for each two examples with judgements d > 0 apart, d^b * c * (likeness to the better one - to the
// worse one). Examples given by id are left out themselves.
struct FeedbackQuery {
  VectorInput target;
  std::vector<Feedback> feedback;  // at least one
  double a = 1;
  double b = 1;  // not negative
  double c = 1;
  friend bool operator==(const FeedbackQuery&, const FeedbackQuery&) = default;
};

// Points that have words of the text at the payload key that `using_name` names, or in the words of
// that name, by BM25.
struct WordsQuery {
  std::string text;
  double k1 = 1.2;  // not negative
  double b = 0.75;  // 0 to 1
  friend bool operator==(const WordsQuery&, const WordsQuery&) = default;
};

// The points of the prefetches, by how well their texts answer this one: a cross-encoder reads both
// at once, which is slower and truer than comparing vectors. Scores are from 0 to 1; a point
// without such a text has 0. What does not fit the model is left out of the longer of the two.
struct RerankQuery {
  std::string text;
  std::string model;  // one that scores pairs of texts
  // A payload path, of whose strings the text is made, a line each; "": the point's text.
  std::string key;
  friend bool operator==(const RerankQuery&, const RerankQuery&) = default;
};

// By a number or a datetime of the payload; each such value of a point counts, so a point with
// several may come several times (scroll) or by its best (query). Points without are left out.
struct OrderByQuery {
  std::string key;
  bool descending = false;
  // Where to begin, inclusive: a number, or a string that parse_datetime() reads.
  std::optional<std::variant<double, std::string>> start_from;
  friend bool operator==(const OrderByQuery&, const OrderByQuery&) = default;
};

enum class FusionKind : std::uint8_t {
  // Sum of 1 / ((rank + 1) / w + k - 1), ranks from 0, which is 1 / (k + rank) for a weight of 1
  // (Cormack, Clarke, Büttcher: SIGIR 2009). A weight of at most 0 adds nothing.
  kRrf,
  kDbsf,      // sum of w * (score - (mean - 3 sd)) / (6 sd); not cut to 0 .. 1
  kWeighted,  // sum of w * (score - min) / (max - min)
};
// One ranking of those that the prefetches found. Where all scores of a prefetch are the same,
// kDbsf and kWeighted take 0.5 for them; distances count from the smallest as the best.
struct FusionQuery {
  FusionKind kind = FusionKind::kRrf;
  double k = 60;                // kRrf; at least 1. Qdrant's requests mean 2 unless they say so
  std::vector<double> weights;  // one for each prefetch, or none: 1 for all
  friend bool operator==(const FusionQuery&, const FusionQuery&) = default;
};

// An arithmetic expression over scores and payload.
struct Expression {
  enum class Kind : std::uint8_t {
    kNumber,       // number
    kVariable,     // name: "$score" or "$score[i]" of prefetch i, or a payload key of a number
    kCondition,    // condition: 1 when it holds, else 0
    kGeoDistance,  // metres from `origin` to the place at the payload key `name`
    kDatetime,     // name: a datetime, in seconds since 1970
    kDatetimeKey,  // name: a payload key that holds a datetime
    kSum,
    kProduct,
    kNegate,
    kAbs,
    kSqrt,
    kExp,
    kLn,
    kLog10,
    kDivide,       // operands[0] / operands[1]; `number` (if given) where that is by zero
    kPower,        // operands[0] to the power of operands[1]
    kLinearDecay,  // of operands[0]; 1 at `target`, `midpoint` at a distance of `scale`
    kGaussDecay,
    kExpDecay,
    kMax,  // of at least one operand, as kMin
    kMin,
    kAcosh,
  };
  Kind kind = Kind::kNumber;
  std::optional<double> number;
  std::string name;
  std::vector<FilterCondition> condition;  // one, for kCondition
  GeoPoint origin;
  std::vector<Expression> operands;
  std::vector<Expression> target;  // decays: none means 0
  double scale = 1;                // decays: more than 0
  double midpoint = 0.5;           // decays: above 0, below 1; kLinearDecay also 0 and 1
  friend bool operator==(const Expression& a, const Expression& b);
};
inline bool operator==(const Expression& a, const Expression& b) {
  return a.kind == b.kind && a.number == b.number && a.name == b.name &&
         a.condition == b.condition && a.origin == b.origin && a.operands == b.operands &&
         a.target == b.target && a.scale == b.scale && a.midpoint == b.midpoint;
}

// The points of the prefetches, by a formula. A value that is missing is an error, unless
// `defaults` has it; but the score of a prefetch that did not find the point is 0 then. So is a
// result that is no finite number. An array of one element stands for that element.
struct FormulaQuery {
  Expression formula;
  // Of variables: a number, or a string with the JSON of another kind of value (scores: a number).
  std::vector<std::pair<std::string, std::variant<double, std::string>>> defaults;
  friend bool operator==(const FormulaQuery&, const FormulaQuery&) = default;
};

// Any points, each as likely as another.
struct SampleQuery {
  friend bool operator==(const SampleQuery&, const SampleQuery&) = default;
};

using StageQuery =
    std::variant<NearestQuery, RecommendQuery, DiscoverQuery, ContextQuery, OrderByQuery,
                 FusionQuery, FormulaQuery, SampleQuery, FeedbackQuery, WordsQuery, RerankQuery>;

// Where the vectors of PointId inputs come from, when not from the collection that is asked.
struct LookupFrom {
  std::string collection;
  std::string vector_name;
  friend bool operator==(const LookupFrom&, const LookupFrom&) = default;
};

// What a search on quantized vectors does; says nothing where there are none.
struct QuantizationParams {
  bool ignore = false;                 // search the full vectors
  std::optional<bool> rescore;         // by the full vectors; absent: chosen by the engine
  std::optional<double> oversampling;  // candidates for each hit; at least 1
  friend bool operator==(const QuantizationParams&, const QuantizationParams&) = default;
};

struct StageParams {
  std::uint32_t ef = 0;  // 0: chosen by the engine
  bool exact = false;
  QuantizationParams quantization;
  // Words and sparse vectors with idf: the points that the frequencies are counted over; absent:
  // the whole collection.
  std::optional<Filter> idf_corpus;
  friend bool operator==(const StageParams&, const StageParams&) = default;
};

// What any tree must satisfy, and by which limits, is in query/request/query_check.h.
struct QueryStage {
  std::vector<QueryStage> prefetch;  // fusions, formulas and reranks have at least one
  // Absent: with prefetches, an error; without, points by ascending id.
  std::optional<StageQuery> query;
  // A vector or words; "" is the unnamed vector. Not for a fusion or a rerank.
  std::string using_name;
  std::optional<Filter> filter;
  StageParams params;
  std::optional<float> score_threshold;  // worse ones are left out; not for ordering by payload
  std::size_t limit = 10;                // 1..10,000
  std::optional<LookupFrom> lookup_from;
  friend bool operator==(const QueryStage& a, const QueryStage& b);
};
inline bool operator==(const QueryStage& a, const QueryStage& b) {
  return a.prefetch == b.prefetch && a.query == b.query && a.using_name == b.using_name &&
         a.filter == b.filter && a.params == b.params && a.score_threshold == b.score_threshold &&
         a.limit == b.limit && a.lookup_from == b.lookup_from;
}

}  // namespace quipu
