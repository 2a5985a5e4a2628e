#include "quipu/query/request/query_json.h"

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/query/request/json_reading.h"
#include "quipu/query/request/query_check.h"
#include "quipu/query/request/query_reader.h"

namespace quipu::query {
namespace {

// What the forms differ in: their members, and how the query is made of them.
struct Form {
  std::vector<std::string_view> members;
  bool limit_required = false;
  Status (*read)(JsonView body, const Place& at, QueryReader& reader, QueryStage& stage);
};

// ---------------------------------------------------------------- the forms' queries

Status query_form(JsonView body, const Place& at, QueryReader& reader, QueryStage& stage) {
  return reader.prefetch_and_query(body, at, 1, stage);
}

// {"name": ..., "vector": [...]} or the vector alone.
Status search_form(JsonView body, const Place& at, QueryReader& reader, QueryStage& stage) {
  QUIPU_TRY(const JsonView json, required(body, "vector", at));
  const Place vector_at(at, "vector");
  JsonView vector = json;
  const bool named = json.is_object() && member(json, "vector").has_value();
  if (named) {
    constexpr std::string_view kMembers[] = {"name", "vector"};
    QUIPU_TRY_OK(check_members(json, kMembers, vector_at));
    QUIPU_TRY(const JsonView name, required(json, "name", vector_at));
    QUIPU_TRY(stage.using_name, read_string(name, Place(vector_at, "name")));
    vector = *member(json, "vector");
  }
  const Place inner(vector_at, "vector");
  const Place& place = named ? inner : vector_at;
  if (!vector.is_array() && !vector.is_object()) {
    return expected("a list of numbers, or an object with name and vector", vector, place);
  }
  QUIPU_TRY(VectorInput input, reader.input(vector, place));
  stage.query = NearestQuery{.input = std::move(input)};
  return ok_status();
}

Status recommend_form(JsonView body, const Place& at, QueryReader& reader, QueryStage& stage) {
  QUIPU_TRY(RecommendQuery query, reader.recommend(body, at));
  // Said here, because the place of the whole query's check is another.
  if (query.positive.empty() &&
      (query.negative.empty() || query.strategy == RecommendStrategy::kAverageVector)) {
    return Place(at, "positive")
        .error(
            "is empty; average_vector needs at least one positive example, the other strategies "
            "one positive or negative",
            kInvalidQuery);
  }
  stage.query = std::move(query);
  return ok_status();
}

Status discover_form(JsonView body, const Place& at, QueryReader& reader, QueryStage& stage) {
  std::vector<ContextPair> pairs;
  if (const std::optional<JsonView> context = member(body, "context")) {
    QUIPU_TRY(pairs, reader.context(*context, Place(at, "context")));
  }
  if (const std::optional<JsonView> json = member(body, "target")) {
    DiscoverQuery query;
    QUIPU_TRY(query.target, reader.input(*json, Place(at, "target")));
    query.context = std::move(pairs);
    stage.query = std::move(query);
    return ok_status();
  }
  if (pairs.empty()) {
    return at.error("needs a target, a context of at least one pair, or both", kInvalidQuery);
  }
  stage.query = ContextQuery{std::move(pairs)};
  return ok_status();
}

// ---------------------------------------------------------------- what they have in common

const Form& query_members() {
  static const Form form{
      {"prefetch", "query", "using", "filter", "params", "score_threshold", "limit", "lookup_from"},
      false,
      query_form};
  return form;
}

const Form& search_members() {
  static const Form form{
      {"vector", "filter", "params", "score_threshold", "limit"}, true, search_form};
  return form;
}

const Form& recommend_members() {
  static const Form form{{"positive", "negative", "strategy", "using", "filter", "params",
                          "score_threshold", "limit", "lookup_from"},
                         true,
                         recommend_form};
  return form;
}

const Form& discover_members() {
  static const Form form{{"target", "context", "using", "filter", "params", "limit", "lookup_from"},
                         true,
                         discover_form};
  return form;
}

Result<QueryStage> read_stage(JsonView body, const Form& form,
                              std::initializer_list<std::string_view> more,
                              const ReadOptions& options, const Place& at) {
  QUIPU_TRY_OK(check_object(body, "an object", at));
  std::vector<std::string_view> known = form.members;
  known.insert(known.end(), more.begin(), more.end());
  QUIPU_TRY_OK(check_members(body, known, at, options.others));
  const bool shard_keys =
      std::find(options.others.begin(), options.others.end(), "shard_key") != options.others.end();
  QueryReader reader(shard_keys);
  QueryStage stage;
  QUIPU_TRY_OK(reader.count_stage(1, at));
  QUIPU_TRY_OK(form.read(body, at, reader, stage));
  QUIPU_TRY_OK(reader.stage_members(body, at, stage));
  QUIPU_TRY_OK(check_stage_members(stage, at));
  QUIPU_TRY_OK(check_json_depth(stage, at));
  return stage;
}

Result<RankedRequest> read_ranked(JsonView body, const Form& form, const ReadOptions& options) {
  const Place at(options.field);
  const bool older = form.limit_required;
  RankedRequest request;
  if (older) {
    QUIPU_TRY(request.stage, read_stage(body, form, {"offset", "top"}, options, at));
    // "top" is an older name still.
    const std::optional<JsonView> top = member(body, "top");
    if (!top.has_value()) {
      QUIPU_TRY_OK(required(body, "limit", at));
    } else if (member(body, "limit").has_value()) {
      return Place(at, "top").error("is another name of limit, which is given too", kInvalidQuery);
    } else {
      QUIPU_TRY(request.stage.limit, read_count(*top, 1, limits::kSearchHitsMax, Place(at, "top")));
    }
  } else {
    QUIPU_TRY(request.stage, read_stage(body, form, {"offset"}, options, at));
  }
  const auto offset = [](JsonView json, const Place& place) {
    return read_count(json, 0, limits::kSearchHitsMax, place);
  };
  QUIPU_TRY_OK(read_optional(body, "offset", at, request.offset, offset));
  if (request.offset + request.stage.limit > limits::kSearchHitsMax) {
    return Place(at, "offset")
        .error(format("{} and a limit of {} are {} together, the limit is {}", request.offset,
                      request.stage.limit, request.offset + request.stage.limit,
                      limits::kSearchHitsMax),
               kQueryTooLarge);
  }
  return request;
}

Result<GroupedRequest> read_grouped(JsonView body, const Form& form, const ReadOptions& options) {
  const Place at(options.field);
  GroupedRequest request;
  QUIPU_TRY(request.stage, read_stage(body, form, {"group_by", "group_size"}, options, at));
  const Place group_by_at(at, "group_by");
  QUIPU_TRY(const JsonView group_by, required(body, "group_by", at));
  QUIPU_TRY(request.group_by, read_string(group_by, group_by_at));
  const Result<PayloadPath> path = PayloadPath::parse(request.group_by);
  if (!path.ok()) return group_by_at.error(path.error().message, kInvalidQuery);
  if (form.limit_required) {
    QUIPU_TRY_OK(required(body, "limit", at));
    QUIPU_TRY_OK(required(body, "group_size", at));
  }
  const auto size = [](JsonView json, const Place& place) {
    return read_count(json, 1, limits::kSearchHitsMax, place);
  };
  QUIPU_TRY_OK(read_optional(body, "group_size", at, request.group_size, size));
  return request;
}

}  // namespace

Result<RankedRequest> read_query(JsonView json, const ReadOptions& options) {
  return read_ranked(json, query_members(), options);
}

Result<RankedRequest> read_search(JsonView json, const ReadOptions& options) {
  return read_ranked(json, search_members(), options);
}

Result<RankedRequest> read_recommend(JsonView json, const ReadOptions& options) {
  return read_ranked(json, recommend_members(), options);
}

Result<RankedRequest> read_discover(JsonView json, const ReadOptions& options) {
  return read_ranked(json, discover_members(), options);
}

Result<GroupedRequest> read_query_groups(JsonView json, const ReadOptions& options) {
  return read_grouped(json, query_members(), options);
}

Result<GroupedRequest> read_search_groups(JsonView json, const ReadOptions& options) {
  return read_grouped(json, search_members(), options);
}

Result<GroupedRequest> read_recommend_groups(JsonView json, const ReadOptions& options) {
  return read_grouped(json, recommend_members(), options);
}

}  // namespace quipu::query
