#include "quipu/query/request/query_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "quipu/base/limits.h"
#include "quipu/base/test_support.h"
#include "quipu/query/request/query_check.h"
#include "quipu/query/request/testing/random_query.h"

namespace quipu::query {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using Dense = std::vector<float>;
using Kind = Expression::Kind;

template <typename Request>
using Reader = Result<Request> (*)(JsonView json, const ReadOptions& options);

template <typename Request>
Result<Request> read_by(Reader<Request> reader, std::string_view json,
                        const ReadOptions& options = {}) {
  const Result<JsonDocument> document = JsonDocument::parse(json);
  EXPECT_EQ(why_not(document), "") << json;
  return reader(document.value().root(), options);
}

std::string written_stage(const QueryStage& stage) {
  std::string json;
  JsonWriter out(json);
  write_query(stage, out);
  return json;
}

// Reads `json`, which says `stage`, and writes it back.
void check_query_form(std::string_view json, const QueryStage& stage) {
  const Result<RankedRequest> read = read_by(read_query, json);
  ASSERT_EQ(why_not(read), "") << json;
  EXPECT_EQ(read.value().stage, stage) << json << "\n" << written_stage(read.value().stage);
  EXPECT_EQ(why_not(check_query(stage)), "") << json;
  const Result<RankedRequest> again = read_by(read_query, written_stage(stage));
  ASSERT_EQ(why_not(again), "") << written_stage(stage);
  EXPECT_EQ(again.value().stage, stage) << written_stage(stage);
}

void check_input(std::string_view json, const VectorInput& input) {
  check_query_form(R"({"query":)" + std::string(json) + "}",
                   {.query = NearestQuery{.input = input}});
  check_query_form(R"({"query":{"nearest":)" + std::string(json) + "}}",
                   {.query = NearestQuery{.input = input}});
}

TEST(QueryJson, ReadsInputs) {
  check_input("[1,-2.5,1e3]", Dense{1, -2.5F, 1000});
  check_input("[[1,2],[3,4],[5,6]]", MultiValues{.rows = 3, .values = {1, 2, 3, 4, 5, 6}});
  check_input(R"({"indices":[3,7],"values":[0.5,2]})",
              SparseValues{.indices = {3, 7}, .values = {0.5F, 2}});
  check_input(R"({"values":[0.5,2,1],"indices":[7,3,4294967295]})",
              SparseValues{.indices = {3, 7, 4294967295}, .values = {2, 0.5F, 1}});
  check_input(R"({"indices":[],"values":[]})", SparseValues{});
  check_input("18446744073709551615", PointId::number(UINT64_MAX));
  const PointId uuid = PointId::uuid(0x550e8400e29b41d4, 0xa716446655440000);
  check_input(R"("550e8400-e29b-41d4-a716-446655440000")", uuid);
  check_input(R"("550E8400e29b41d4a716446655440000")", uuid);
  check_input(R"("urn:uuid:550e8400-e29b-41d4-a716-446655440000")", uuid);
  check_input(R"({"text":"rivers","model":"bm25","options":{"k": 1.5}})",
              TextInput{.text = "rivers", .model = "bm25", .options = R"({"k":1.5})"});
  check_query_form(R"({"query":{"nearest":{"text":"rivers"}}})",
                   {.query = NearestQuery{.input = TextInput{.text = "rivers"}}});
}

TEST(QueryJson, ReadsEachKindOfQuery) {
  const VectorInput one = PointId::number(1);
  const VectorInput two = Dense{2, 3};
  const ContextPair pair{.positive = one, .negative = two};
  check_query_form("{}", {});
  check_query_form(R"({"query":null,"limit":null,"prefetch":null})", {});
  check_query_form(R"({"query":{"nearest":1,"mmr":{}}})",
                   {.query = NearestQuery{.input = one, .mmr = Mmr{}}});
  check_query_form(
      R"({"query":{"nearest":1,"mmr":{"diversity":0.3,"candidates_limit":100}}})",
      {.query = NearestQuery{.input = one, .mmr = Mmr{.diversity = 0.3, .candidates = 100}}});
  check_query_form(R"({"query":{"recommend":{"positive":[1,[2,3]],"negative":null}}})",
                   {.query = RecommendQuery{.positive = {one, two}}});
  check_query_form(
      R"({"query":{"recommend":{"negative":[1],"strategy":"best_score"}}})",
      {.query = RecommendQuery{.negative = {one}, .strategy = RecommendStrategy::kBestScore}});
  check_query_form(
      R"({"query":{"recommend":{"positive":[1],"strategy":"sum_scores"}}})",
      {.query = RecommendQuery{.positive = {one}, .strategy = RecommendStrategy::kSumScores}});
  check_query_form(
      R"({"query":{"discover":{"target":1,"context":{"positive":1,"negative":[2,3]}}}})",
      {.query = DiscoverQuery{.target = one, .context = {pair}}});
  check_query_form(R"({"query":{"discover":{"target":1,"context":[]}}})",
                   {.query = DiscoverQuery{.target = one}});
  check_query_form(R"({"query":{"context":[{"positive":1,"negative":[2,3]}]}})",
                   {.query = ContextQuery{{pair}}});
  check_query_form(R"({"query":{"order_by":"a.b"}})", {.query = OrderByQuery{.key = "a.b"}});
  check_query_form(R"({"query":{"order_by":{"key":"a","direction":"desc","start_from":5}}})",
                   {.query = OrderByQuery{.key = "a", .descending = true, .start_from = 5.0}});
  check_query_form(R"({"query":{"order_by":{"key":"a","start_from":"2024-05-01"}}})",
                   {.query = OrderByQuery{.key = "a", .start_from = "2024-05-01"}});
  check_query_form(R"({"query":{"sample":"random"}})", {.query = SampleQuery{}});
  check_query_form(
      R"({"query":{"relevance_feedback":{"target":1,"feedback":[{"example":[2,3],"score":0.5}],)"
      R"("strategy":{"naive":{"a":1,"b":2,"c":-3}}}}})",
      {.query = FeedbackQuery{.target = one, .feedback = {{two, 0.5}}, .a = 1, .b = 2, .c = -3}});
  check_query_form(
      R"({"query":{"rerank":{"text":"rivers","model":"m","key":"a.b"}},"prefetch":{}})",
      {.prefetch = {QueryStage{}},
       .query = RerankQuery{.text = "rivers", .model = "m", .key = "a.b"}});
  check_query_form(R"({"query":{"text":"rivers"},"using":"title"})",
                   {.query = WordsQuery{.text = "rivers"}, .using_name = "title"});
  check_query_form(
      R"({"query":{"text":{"query":"rivers","scoring":{"bm25":{"k":0,"b":1}}}},"using":"title"})",
      {.query = WordsQuery{.text = "rivers", .k1 = 0, .b = 1}, .using_name = "title"});
}

TEST(QueryJson, ReadsFusions) {
  const QueryStage all;
  const auto of = [&all](FusionQuery fusion) {
    return QueryStage{.prefetch = {all, all}, .query = std::move(fusion)};
  };
  const auto body = [](std::string_view query) {
    return R"({"prefetch":[{},{}],"query":)" + std::string(query) + "}";
  };
  check_query_form(body(R"({"fusion":"rrf"})"), of({.k = 2}));
  check_query_form(body(R"({"rrf":{}})"), of({.k = 2}));
  check_query_form(body(R"({"rrf":{"k":60,"weights":[3,1]}})"), of({.k = 60, .weights = {3, 1}}));
  check_query_form(body(R"({"fusion":"dbsf"})"), of({.kind = FusionKind::kDbsf}));
  check_query_form(body(R"({"dbsf":{"weights":[1,0]}})"),
                   of({.kind = FusionKind::kDbsf, .weights = {1, 0}}));
  check_query_form(body(R"({"fusion":"weighted"})"), of({.kind = FusionKind::kWeighted}));
  check_query_form(body(R"({"weighted":{"weights":[1,-1]}})"),
                   of({.kind = FusionKind::kWeighted, .weights = {1, -1}}));
}

TEST(QueryJson, ReadsFormulas) {
  const Expression one{.kind = Kind::kNumber, .number = 1};
  const Expression a{.kind = Kind::kVariable, .name = "a"};
  const Expression tagged{
      .kind = Kind::kCondition,
      .condition = {{FieldCondition{.key = "tag", .predicate = MatchValue{"h1"}}}}};
  const auto test = [](std::string_view json, const Expression& expression) {
    check_query_form(R"({"prefetch":{},"query":{"formula":)" + std::string(json) + "}}",
                     {.prefetch = {{}}, .query = FormulaQuery{.formula = expression}});
  };
  test("1", one);
  test(R"("a")", a);
  test(R"({"key":"tag","match":{"value":"h1"}})", tagged);
  test("{}", {.kind = Kind::kCondition, .condition = {{Filter{}}}});
  test(R"({"must":[{"key":"tag","match":{"value":"h1"}}]})",
       {.kind = Kind::kCondition, .condition = {{Filter{.must = tagged.condition}}}});
  test(R"({"sum":[1,"a"]})", {.kind = Kind::kSum, .operands = {one, a}});
  test(R"({"mult":[]})", {.kind = Kind::kProduct});
  test(R"({"max":[1]})", {.kind = Kind::kMax, .operands = {one}});
  test(R"({"min":[1,{"acosh":1}]})",
       {.kind = Kind::kMin, .operands = {one, {.kind = Kind::kAcosh, .operands = {one}}}});
  test(R"({"neg":{"abs":{"sqrt":{"exp":{"ln":{"log10":1}}}}}})",
       {.kind = Kind::kNegate,
        .operands = {
            {.kind = Kind::kAbs,
             .operands = {{.kind = Kind::kSqrt,
                           .operands = {{.kind = Kind::kExp,
                                         .operands = {{.kind = Kind::kLn,
                                                       .operands = {{.kind = Kind::kLog10,
                                                                     .operands = {one}}}}}}}}}}}});
  test(R"({"div":{"left":1,"right":"a","by_zero_default":-1}})",
       {.kind = Kind::kDivide, .number = -1, .operands = {one, a}});
  test(R"({"pow":{"base":1,"exponent":"a"}})", {.kind = Kind::kPower, .operands = {one, a}});
  test(R"({"datetime":"2024-05-01"})", {.kind = Kind::kDatetime, .name = "2024-05-01"});
  test(R"({"datetime_key":"a[0].b"})", {.kind = Kind::kDatetimeKey, .name = "a[0].b"});
  test(R"({"geo_distance":{"origin":{"lon":1,"lat":2},"to":"at"}})",
       {.kind = Kind::kGeoDistance, .name = "at", .origin = {.lon = 1, .lat = 2}});
  test(R"({"lin_decay":{"x":"a"}})", {.kind = Kind::kLinearDecay, .operands = {a}});
  test(R"({"exp_decay":{"x":"a","target":1,"scale":3,"midpoint":0.25}})",
       {.kind = Kind::kExpDecay, .operands = {a}, .target = {one}, .scale = 3, .midpoint = 0.25});
  test(R"({"gauss_decay":{"x":"a","target":null,"scale":3}})",
       {.kind = Kind::kGaussDecay, .operands = {a}, .scale = 3});
  check_query_form(R"({"prefetch":{},"query":{"formula":"a","defaults":{"a":1.5,"$score":0,)"
                   R"("at":{"lon": 1,"lat":2},"when":"2024-05-01"}}})",
                   {.prefetch = {{}},
                    .query = FormulaQuery{.formula = a,
                                          .defaults = {{"a", 1.5},
                                                       {"$score", 0.0},
                                                       {"at", R"({"lon":1,"lat":2})"},
                                                       {"when", R"("2024-05-01")"}}}});
}

TEST(QueryJson, ReadsStages) {
  const Filter filter{.must = {{FieldCondition{.key = "a", .predicate = MatchValue{true}}}}};
  check_query_form(
      R"({"using":"image","filter":{"must":{"key":"a","match":{"value":true}}},"limit":10000})",
      {.using_name = "image", .filter = filter, .limit = 10'000});
  check_query_form(R"({"query":1,"score_threshold":-0.25})",
                   {.query = NearestQuery{.input = PointId::number(1)}, .score_threshold = -0.25F});
}

TEST(QueryJson, ReadsNestedPrefetches) {
  QueryStage leaf{.query = NearestQuery{.input = PointId::number(1)},
                  .using_name = "image",
                  .score_threshold = 0.25F,
                  .limit = 50};
  leaf.filter = Filter{.must_not = {{HasIdCondition{{PointId::number(3)}}}}};
  const QueryStage middle{.prefetch = {leaf},
                          .query = NearestQuery{.input = Dense{1}},
                          .lookup_from = LookupFrom{.collection = "c", .vector_name = "v"}};
  check_query_form(
      R"({"prefetch":[{"prefetch":{"query":1,"using":"image","score_threshold":0.25,"limit":50,)"
      R"("filter":{"must_not":{"has_id":[3]}}},"query":[1],)"
      R"("lookup_from":{"collection":"c","vector":"v"}},{}],"query":{"fusion":"dbsf"}})",
      {.prefetch = {middle, {}}, .query = FusionQuery{.kind = FusionKind::kDbsf}});
}

TEST(QueryJson, LooksUpTheVectorOfTheSameNameUnlessTold) {
  const auto lookup = [](std::string_view members) {
    const Result<RankedRequest> read =
        read_by(read_query, R"({"query":1,)" + std::string(members) + "}");
    EXPECT_EQ(why_not(read), "") << members;
    return read.ok() ? *read.value().stage.lookup_from : LookupFrom();
  };
  EXPECT_EQ(lookup(R"("lookup_from":{"collection":"c"})"), (LookupFrom{"c", ""}));
  EXPECT_EQ(lookup(R"("lookup_from":{"collection":"c"},"using":"image")"),
            (LookupFrom{"c", "image"}));
  EXPECT_EQ(lookup(R"("lookup_from":{"collection":"c","vector":""},"using":"image")"),
            (LookupFrom{"c", ""}));
}

TEST(QueryJson, ReadsParameters) {
  const auto of = [](StageParams params) {
    return QueryStage{.query = NearestQuery{.input = Dense{1}}, .params = std::move(params)};
  };
  const auto body = [](std::string_view params) {
    return R"({"query":[1],"params":)" + std::string(params) + "}";
  };
  check_query_form(body("{}"), of({}));
  check_query_form(body(R"({"hnsw_ef":128,"exact":true})"), of({.ef = 128, .exact = true}));
  check_query_form(body(R"({"quantization":{"ignore":true,"rescore":false,"oversampling":2.4}})"),
                   of({.quantization = {.ignore = true, .rescore = false, .oversampling = 2.4}}));
  check_query_form(body(R"({"indexed_only":true,"acorn":{"enable":true,"max_selectivity":0.4}})"),
                   of({}));
  check_query_form(body(R"({"idf":"global"})"), of({}));
  check_query_form(
      body(R"({"idf":{"corpus":{"must_not":[{"has_id":[3]}]}}})"),
      of({.idf_corpus = Filter{.must_not = {{HasIdCondition{{PointId::number(3)}}}}}}));
}

// ---------------------------------------------------------------- what is refused

struct Mistake {
  const char* json;
  const char* message;  // its beginning
};

template <typename Request>
void check_mistakes(Reader<Request> reader, std::initializer_list<Mistake> mistakes) {
  for (const Mistake& mistake : mistakes) {
    const Result<Request> read = read_by(reader, mistake.json);
    ASSERT_FALSE(read.ok()) << mistake.json;
    EXPECT_THAT(read.error().message, StartsWith(mistake.message)) << mistake.json;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument) << mistake.json;
  }
}

TEST(QueryJsonMistakes, OfMembers) {
  check_mistakes<RankedRequest>(
      read_query,
      {{"[]", "expected an object, got array"},
       {R"({"qeury":1})", "has the unknown member \"qeury\"; did you mean \"query\"? (allowed: "},
       {R"({"with_payload":true})", "has the unknown member \"with_payload\""},
       {R"({"limit":0})", "limit: expected an integer of 1 to 10000, got integer 0"},
       {R"({"limit":10001})", "limit: expected an integer of 1 to 10000"},
       {R"({"offset":-1})", "offset: expected an integer of 0 to 10000"},
       {R"({"offset":9991})", "offset: 9991 and a limit of 10 are 10001 together, the limit is"},
       {R"({"using":5})", "using: expected a string, got integer 5"},
       {R"({"filter":{"must":[{"kye":1}]}})", "filter.must[0]"},
       {R"({"params":{"ef":5}})", "params: has the unknown member \"ef\""},
       {R"({"params":{"hnsw_ef":0}})", "params.hnsw_ef: expected an integer of 1 to 100000"},
       {R"({"params":{"exact":1}})", "params.exact: expected true or false, got integer 1"},
       {R"({"params":{"quantization":{"oversampling":0.5}}})",
        "params.quantization.oversampling: 0.5 is less than 1"},
       {R"({"params":{"acorn":{"max_selectivity":1.5}}})", "params.acorn.max_selectivity: 1.5"},
       {R"({"params":{"idf":"local"}})",
        "params.idf: expected one of global, got string \"local\""},
       {R"({"params":{"idf":{"corpus":{"must":1}}}})", "params.idf.corpus.must: "},
       {R"({"query":1,"score_threshold":1e300})",
        "score_threshold: expected a number in the range"},
       {R"({"score_threshold":1})", "score_threshold: needs a query"},
       {R"({"query":{"order_by":"a"},"score_threshold":1})",
        "score_threshold: cannot be with order_by"},
       {R"({"query":1,"lookup_from":{"vector":"v"}})", "lookup_from.collection: is missing"},
       {R"({"query":1,"lookup_from":{"collection":""}})", "lookup_from.collection: is empty"},
       {R"({"query":1,"lookup_from":{"collection":"c","shard_key":"k"}})",
        "lookup_from: has the unknown member \"shard_key\""}});
}

TEST(QueryJsonMistakes, OfPrefetches) {
  check_mistakes<RankedRequest>(
      read_query,
      {{R"({"prefetch":{}})", "has prefetches but no query"},
       {R"({"prefetch":1,"query":1})", "prefetch: expected a prefetch or a list of them"},
       {R"({"prefetch":[{},1],"query":1})", "prefetch[1]: expected a prefetch (an object)"},
       {R"({"prefetch":[{},{"prefetch":{}}],"query":1})", "prefetch[1]: has prefetches but no"},
       {R"({"prefetch":{"offset":1},"query":1})", "prefetch: has the unknown member \"offset\""},
       {R"({"prefetch":{"prefetch":[{"query":[]}],"query":1},"query":1})",
        "prefetch.prefetch[0].query: is empty"},
       {R"({"query":{"fusion":"rrf"}})", "query: a fusion needs prefetches"},
       {R"({"query":{"formula":1}})", "query: a formula needs prefetches"},
       {R"({"prefetch":{},"query":{"fusion":"rrf"},"using":"image"})",
        "using: cannot be with a fusion"},
       {R"({"prefetch":{},"query":{"rrf":{"weights":[1,2]}}})",
        "query.rrf.weights: has 2 weights for 1 prefetches"},
       {R"({"prefetch":{},"query":{"weighted":{"weights":[1,2]}}})", "query.weighted.weights: "}});
}

TEST(QueryJsonMistakes, OfInputs) {
  check_mistakes<RankedRequest>(
      read_query,
      {{R"({"query":true})", "query: expected a vector (a list of numbers"},
       {R"({"query":-1})", "query: expected an integer of 0 to 18446744073709551615 or a UUID"},
       {R"({"query":"17"})", "query: expected an integer of 0 to 18446744073709551615 or a UUID"},
       {R"({"query":[]})", "query: is empty; a vector has at least one number"},
       {R"({"query":[1,"2"]})", "query: element 1 is no number but string"},
       {R"({"query":[1,1e300]})", "query: "},
       {R"({"query":[1,[2]]})", "query: element 1 is no number but array"},
       {R"({"query":[[1],2]})", "query[1]: expected a list of numbers, as the rows before"},
       {R"({"query":[[1],[2,3]]})", "query[1]: has 2 numbers, the rows before have 1"},
       {R"({"query":[[]]})", "query[0]: is empty"},
       {R"({"query":{"indices":[1]}})", "query.values: is missing"},
       {R"({"query":{"values":[1]}})", "query.indices: is missing"},
       {R"({"query":{"indices":[1],"values":[1,2]}})", "query: has 1 indices but 2 values"},
       {R"({"query":{"indices":[1,2],"values":[1]}})", "query.indices[1]: is one more than"},
       {R"({"query":{"indices":[4294967296],"values":[1]}})", "query.indices[0]: expected an int"},
       {R"({"query":{"indices":[5,2,5],"values":[1,2,3]}})", "query.indices: has 5 twice"},
       {R"({"query":{"indices":[1],"values":[1],"name":"x"}})", "query: has the unknown member"},
       {R"({"query":{"nearest":{"txt":"x"}}})", "query.nearest: expected a vector"},
       {R"({"query":{"model":"m"}})", "query: expected a vector"},
       {R"({"query":{"text":5,"model":"m"}})", "query.text: expected a string"},
       {R"({"query":{"text":"x","model":"m","options":5}})", "query.options: expected an object"},
       {R"({"query":{"recommend":{"positive":[1,{"indices":[1],"values":["x"]}]}}})",
        "query.recommend.positive[1].values: element 0 is no number but string"}});
}

TEST(QueryJsonMistakes, OfQueries) {
  check_mistakes<RankedRequest>(
      read_query,
      {{R"({"query":{}})", "query: has no query; it needs one of nearest, recommend, "},
       {R"({"query":{"recomend":{}}})",
        "query: has the unknown member \"recomend\"; did you mean \"recommend\"?"},
       {R"({"query":{"nearest":1,"sample":"random"}})",
        "query: has nearest, sample; a query is of one kind"},
       {R"({"query":{"nearest":1,"defaults":{}}})", "query: has the unknown member \"defaults\""},
       {R"({"query":{"nearest":1,"mmr":{"diversity":1.5}}})",
        "query.mmr.diversity: 1.5 is not within 0 to 1"},
       {R"({"query":{"nearest":1,"mmr":{"candidates_limit":16385}}})",
        "query.mmr.candidates_limit: expected an integer of 1 to 16384"},
       {R"({"query":{"recommend":{}}})",
        "query.recommend: needs at least one positive or negative"},
       {R"({"query":{"recommend":{"negative":[1]}}})",
        "query.recommend.positive: is empty; average_vector needs"},
       {R"({"query":{"recommend":{"positive":1}}})",
        "query.recommend.positive: expected a list of vectors and ids"},
       {R"({"query":{"recommend":{"positive":[1],"strategy":"bestscore"}}})",
        "query.recommend.strategy: expected one of average_vector, best_score, sum_scores, got "
        "string \"bestscore\"; did you mean \"best_score\"?"},
       {R"({"query":{"discover":{"context":[]}}})", "query.discover.target: is missing"},
       {R"({"query":{"discover":{"target":1,"context":[{"positive":1}]}}})",
        "query.discover.context[0].negative: is missing"},
       {R"({"query":{"context":[]}})", "query.context: is empty"},
       {R"({"query":{"context":{"positive":1,"negative":{"x":1}}}})", "query.context.negative: "},
       {R"({"query":{"order_by":{"direction":"asc"}}})", "query.order_by.key: is missing"},
       {R"({"query":{"order_by":{"key":"a","direction":"up"}}})", "query.order_by.direction: "},
       {R"({"query":{"order_by":{"key":"a","start_from":"soon"}}})", "query.order_by.start_from: "},
       {R"({"query":{"order_by":{"key":"a","start_from":true}}})",
        "query.order_by.start_from: expected a number or a datetime"},
       {R"({"query":{"order_by":"a["}})", "query.order_by.key: "},
       {R"({"query":{"fusion":"rrrf"}})",
        "query.fusion: expected one of rrf, dbsf, weighted, got "},
       {R"({"query":{"rrf":{"k":0}}})", "query.rrf.k: 0 is no number of at least 1"},
       {R"({"query":{"dbsf":{"k":1}}})", "query.dbsf: has the unknown member \"k\""},
       {R"({"query":{"rrf":{"weights":[1,"x"]}}})", "query.rrf.weights[1]: expected a number"},
       {R"({"query":{"sample":"all"}})", "query.sample: expected one of random"},
       {R"({"query":{"text":"x"}})", "using: is missing; it names what a text query looks at"},
       {R"({"query":{"rerank":{"text":"x","model":"m"}}})",
        "query: a rerank needs prefetches, it ranks what they find"},
       {R"({"query":{"rerank":{"text":"x","model":"m"}},"prefetch":{},"using":"a"})",
        "using: cannot be with a rerank, which looks at no vector"},
       {R"({"query":{"rerank":{"text":"","model":"m"}},"prefetch":{}})",
        "query.rerank.text: is empty"},
       {R"({"query":{"rerank":{"text":"x"}},"prefetch":{}})", "query.rerank.model: is missing"},
       {R"({"query":{"rerank":{"text":"x","model":""}},"prefetch":{}})",
        "query.rerank.model: is empty"},
       {R"({"query":{"rerank":{"text":"x","model":"m","key":"a["}},"prefetch":{}})",
        "query.rerank.key: "},
       {R"({"query":{"text":{"scoring":null}}})", "query.text.query: is missing"},
       {R"({"query":{"text":{"query":"x","scoring":{"bm25":{"b":2}}}},"using":"a"})",
        "query.text.scoring.bm25.b: 2 is not within 0 to 1"},
       {R"({"query":{"relevance_feedback":{"target":1,"feedback":[],"strategy":)"
        R"({"naive":{"a":1,"b":1,"c":1}}}}})",
        "query.relevance_feedback.feedback: is empty"},
       {R"({"query":{"relevance_feedback":{"target":1,"feedback":[{"example":1,"score":1}],)"
        R"("strategy":{"naive":{"a":1,"b":-1,"c":1}}}}})",
        "query.relevance_feedback.strategy.naive.b: -1 is no number of at least 0"},
       {R"({"query":{"relevance_feedback":{"target":1,"feedback":[{"example":1}]}}})",
        "query.relevance_feedback.feedback[0].score: is missing"}});
}

TEST(QueryJsonMistakes, OfFormulas) {
  check_mistakes<RankedRequest>(
      read_query,
      {{R"({"query":{"formula":null}})", "query: has no query"},
       {R"({"query":{"formula":true}})",
        "query.formula: expected a number, the name of a variable"},
       {R"({"query":{"formula":{"summ":[1]}}})",
        "query.formula: has the unknown member \"summ\"; did you mean \"sum\"?"},
       {R"({"query":{"formula":{"sum":1}}})", "query.formula.sum: expected a list of expressions"},
       {R"({"query":{"formula":{"sum":[1,{"div":{"left":1}}]}}})",
        "query.formula.sum[1].div.right: is missing"},
       {R"({"query":{"formula":{"sum":[1],"mult":[1]}}})",
        "query.formula: has the unknown member \"mult\""},
       {R"({"query":{"formula":{"max":[]}}})", "query.formula.max: has 0 operands"},
       {R"({"query":{"formula":{"neg":{"key":"a","match":{"value":1.5}}}}})",
        "query.formula.neg.match.value: expected a string, a boolean or an integer"},
       {R"({"query":{"formula":{"key":"a","mtach":{"value":1}}}})",
        "query.formula: has the unknown"},
       {R"({"query":{"formula":{"datetime":5}}})", "query.formula.datetime: expected a string"},
       {R"({"query":{"formula":{"geo_distance":{"origin":{"lon":1},"to":"a"}}}})",
        "query.formula.geo_distance.origin.lat: is missing"},
       {R"({"query":{"formula":{"lin_decay":{"x":1,"scale":0}}}})",
        "query.formula.lin_decay.scale: 0 is not within"},
       {R"({"query":{"formula":1,"defaults":[]}})", "query.defaults: expected an object"},
       {R"({"query":{"formula":1,"defaults":{"$score":"x"}}})",
        "query.defaults.$score: must be a number"}});
}

TEST(QueryJsonMistakes, OfImagesAreNotImplemented) {
  for (const char* const body : {R"({"query":{"image":"https://x/y.png","model":"m"}})",
                                 R"({"query":{"nearest":{"object":{"a":1},"model":"m"}}})"}) {
    const Result<RankedRequest> read = read_by(read_query, body);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, ErrorCode::kUnimplemented);
    EXPECT_EQ(read.error().reason, "unimplemented_input");
    EXPECT_THAT(read.error().message, HasSubstr("only a text can"));
  }
}

TEST(QueryJson, LeavesMembersToTheCaller) {
  const std::string_view body =
      R"({"query":1,"offset":20,"with_payload":["a"],"with_vector":true,"shard_key":"k",)"
      R"("lookup_from":{"collection":"c","shard_key":"k"}})";
  const Result<RankedRequest> read = read_by(read_query, body, {.others = kAnswerMembers});
  ASSERT_EQ(why_not(read), "");
  EXPECT_EQ(read.value().offset, 20U);
  const Result<RankedRequest> misspelt =
      read_by(read_query, R"({"with_paylod":true})", {.others = kAnswerMembers});
  EXPECT_THAT(why_not(misspelt), HasSubstr("did you mean \"with_payload\"?"));
  const Result<RankedRequest> batched =
      read_by(read_query, R"({"limit":0})", {.field = "searches[2]"});
  EXPECT_THAT(why_not(batched), HasSubstr("searches[2].limit: "));
}

// ---------------------------------------------------------------- the older requests

TEST(OlderRequests, Search) {
  const auto stage = [](std::string_view vector) {
    const std::string body =
        R"({"vector":)" + std::string(vector) +
        R"(,"limit":5,"offset":3,"score_threshold":0.5,"params":{"exact":true}})";
    const Result<RankedRequest> read = read_by(read_search, body);
    EXPECT_EQ(why_not(read), "");
    if (!read.ok()) return QueryStage();
    EXPECT_EQ(read.value().offset, 3U);
    return read.value().stage;
  };
  QueryStage wanted{.query = NearestQuery{.input = Dense{1, 2}},
                    .params = {.exact = true},
                    .score_threshold = 0.5F,
                    .limit = 5};
  EXPECT_EQ(stage("[1,2]"), wanted);
  wanted.using_name = "image";
  EXPECT_EQ(stage(R"({"name":"image","vector":[1,2]})"), wanted);
  wanted.query = NearestQuery{.input = SparseValues{.indices = {2, 4}, .values = {1, 3}}};
  EXPECT_EQ(stage(R"({"name":"image","vector":{"indices":[4,2],"values":[3,1]}})"), wanted);
  EXPECT_EQ(read_by(read_search, R"({"vector":[1],"top":7})").value().stage.limit, 7U);
  check_mistakes<RankedRequest>(
      read_search,
      {{R"({"limit":5})", "vector: is missing"},
       {R"({"vector":[1]})", "limit: is missing"},
       {R"({"vector":[1],"limit":5,"top":5})", "top: is another name of limit"},
       {R"({"vector":[1],"top":0})", "top: expected an integer of 1 to 10000"},
       {R"({"vector":5,"limit":1})", "vector: expected a list of numbers, or an object"},
       {R"({"vector":{"vector":[1]},"limit":1})", "vector.name: is missing"},
       {R"({"vector":{"name":"x","vector":"y"},"limit":1})", "vector.vector: expected a list"},
       {R"({"vector":{"name":"x","vector":[]},"limit":1})", "vector.vector: is empty"},
       {R"({"vector":[1],"limit":5,"using":"x"})", "has the unknown member \"using\""},
       {R"({"vector":[1],"limit":10000,"offset":1})", "offset: 1 and a limit of 10000"}});
}

TEST(OlderRequests, Recommend) {
  const Result<RankedRequest> read =
      read_by(read_recommend,
              R"({"positive":[1,[2]],"negative":[3],"strategy":"sum_scores","using":"image",)"
              R"("lookup_from":{"collection":"c"},"limit":4})");
  ASSERT_EQ(why_not(read), "");
  const RecommendQuery query{.positive = {PointId::number(1), Dense{2}},
                             .negative = {PointId::number(3)},
                             .strategy = RecommendStrategy::kSumScores};
  EXPECT_EQ(read.value().stage, (QueryStage{.query = query,
                                            .using_name = "image",
                                            .limit = 4,
                                            .lookup_from = LookupFrom{"c", "image"}}));
  check_mistakes<RankedRequest>(
      read_recommend,
      {{R"({"limit":4})", "positive: is empty"},
       {R"({"negative":[1],"limit":4})", "positive: is empty; average_vector needs"},
       {R"({"negative":["x"],"limit":4})", "negative[0]: expected an integer of 0 to"},
       {R"({"positive":[1]})", "limit: is missing"}});
  EXPECT_TRUE(
      read_by(read_recommend, R"({"negative":[1],"strategy":"best_score","limit":4})").ok());
}

TEST(OlderRequests, Discover) {
  const std::vector<ContextPair> pairs = {{PointId::number(1), PointId::number(2)}};
  const auto query = [](std::string_view body) {
    const Result<RankedRequest> read = read_by(read_discover, body);
    EXPECT_EQ(why_not(read), "") << body;
    return read.ok() ? *read.value().stage.query : StageQuery();
  };
  EXPECT_EQ(query(R"({"target":5,"context":[{"positive":1,"negative":2}],"limit":4})"),
            StageQuery(DiscoverQuery{.target = PointId::number(5), .context = pairs}));
  EXPECT_EQ(query(R"({"target":5,"limit":4})"),
            StageQuery(DiscoverQuery{.target = PointId::number(5)}));
  EXPECT_EQ(query(R"({"context":[{"positive":1,"negative":2}],"limit":4})"),
            StageQuery(ContextQuery{pairs}));
  check_mistakes<RankedRequest>(
      read_discover, {{R"({"limit":4})", "needs a target, a context"},
                      {R"({"target":[],"limit":4})", "target: is empty"},
                      {R"({"context":[{"positive":1}],"limit":4})", "context[0].negative: is miss"},
                      {R"({"target":5})", "limit: is missing"}});
}

TEST(Groups, HaveTheFormsOfTheirRequests) {
  const Result<GroupedRequest> query =
      read_by(read_query_groups, R"({"query":[1],"group_by":"doc.id"})");
  ASSERT_EQ(why_not(query), "");
  EXPECT_EQ(query.value().stage, QueryStage{.query = NearestQuery{.input = Dense{1}}});
  EXPECT_EQ(query.value().group_by, "doc.id");
  EXPECT_EQ(query.value().group_size, 3U);
  const Result<GroupedRequest> search =
      read_by(read_search_groups,
              R"({"vector":[1],"group_by":"a","group_size":2,"limit":4,"with_lookup":"c"})",
              ReadOptions{.others = std::initializer_list<std::string_view>{"with_lookup"}});
  ASSERT_EQ(why_not(search), "");
  EXPECT_EQ(search.value().stage.limit, 4U);
  EXPECT_EQ(search.value().group_size, 2U);
  EXPECT_TRUE(
      read_by(read_recommend_groups, R"({"positive":[1],"group_by":"a","group_size":2,"limit":4})")
          .ok());
  check_mistakes<GroupedRequest>(
      read_query_groups, {{R"({"query":1})", "group_by: is missing"},
                          {R"({"group_by":"a["})", "group_by: "},
                          {R"({"group_by":"a","group_size":0})", "group_size: expected an integer"},
                          {R"({"group_by":"a","offset":1})", "has the unknown member \"offset\""}});
  check_mistakes<GroupedRequest>(
      read_search_groups,
      {{R"({"vector":[1],"group_by":"a","limit":4})", "group_size: is missing"},
       {R"({"vector":[1],"group_by":"a","group_size":4})", "limit: is missing"}});
}

// ---------------------------------------------------------------- limits and round trips

QueryStage nested(std::size_t depth) {
  QueryStage stage{.query = NearestQuery{.input = Dense{1}}};
  for (; depth > 1; --depth) {
    QueryStage outer{.query = NearestQuery{.input = Dense{1}}};
    outer.prefetch.push_back(std::move(stage));
    stage = std::move(outer);
  }
  return stage;
}

// Both the reader and the check of trees made by hand.
void expect_too_large(const QueryStage& stage, const char* message) {
  const Status checked = check_query(stage);
  ASSERT_FALSE(checked.ok()) << message;
  EXPECT_THAT(checked.error().message, HasSubstr(message));
  EXPECT_EQ(checked.error().reason, "query_too_large");
  const Result<RankedRequest> read = read_by(read_query, written_stage(stage));
  ASSERT_FALSE(read.ok()) << message;
  EXPECT_THAT(read.error().message, HasSubstr(message));
  EXPECT_EQ(read.error().reason, "query_too_large");
}

void expect_fine(const QueryStage& stage) {
  EXPECT_EQ(why_not(check_query(stage)), "");
  const Result<RankedRequest> read = read_by(read_query, written_stage(stage));
  ASSERT_EQ(why_not(read), "");
  EXPECT_EQ(read.value().stage, stage);
}

TEST(QueryLimits, OfStages) {
  expect_fine(nested(limits::kQueryDepthMax));
  expect_too_large(nested(limits::kQueryDepthMax + 1), "nested deeper than the limit of 8 stages");
  QueryStage wide{.query = FusionQuery{.k = 2}};
  wide.prefetch.resize(limits::kQueryStagesMax - 1);
  expect_fine(wide);
  wide.prefetch.emplace_back();
  expect_too_large(wide, "prefetch[63]: the query has more than the limit of 64 stages");
}

TEST(QueryLimits, OfVectors) {
  RecommendQuery recommend;
  recommend.positive.assign(limits::kQueryVectorsMax, PointId::number(1));
  expect_fine({.query = recommend});
  recommend.positive.push_back(PointId::number(1));
  expect_too_large({.query = recommend},
                   "query.recommend.positive[4096]: the query has more than the limit of 4096");
  expect_fine({.query = NearestQuery{.input = Dense(limits::kDimMax, 1)}});
  expect_too_large({.query = NearestQuery{.input = Dense(limits::kDimMax + 1, 1)}},
                   "has 65537 dimensions, the limit is 65536");
  MultiValues multi{.rows = 64};
  multi.values.assign(limits::kQueryNumbersMax, 1);
  expect_fine({.query = NearestQuery{.input = multi}});
  multi.rows = 65;
  multi.values.resize(65 * 65536, 1);
  expect_too_large({.query = NearestQuery{.input = multi}},
                   "brings the numbers in the query's vectors to 4259840, the limit is 4194304");
}

TEST(QueryLimits, OfTextsAndNames) {
  expect_fine(
      {.query = NearestQuery{.input = TextInput{.text = std::string(limits::kTextBytesMax, 'a')}}});
  expect_too_large(
      {.query =
           NearestQuery{.input = TextInput{.text = std::string(limits::kTextBytesMax + 1, 'a')}}},
      "query.nearest.text: has 1048577 bytes");
  expect_fine({.using_name = std::string(limits::kNameBytesMax, 'a')});
  expect_too_large({.using_name = std::string(limits::kNameBytesMax + 1, 'a')},
                   "using: has 256 bytes, the limit is 255");
  FeedbackQuery feedback{.target = PointId::number(1)};
  feedback.feedback.assign(limits::kFeedbackMax, {.example = PointId::number(2), .score = 1});
  expect_fine({.query = feedback});
  feedback.feedback.push_back({.example = PointId::number(2)});
  expect_too_large({.query = feedback}, "has 257 examples, the limit is 256");
}

// Each part within its own limit, but all of them inside each other.
TEST(QueryLimits, OfNestingInAll) {
  Filter filter;
  for (std::size_t depth = 1; depth < limits::kFilterDepthMax; ++depth) {
    filter = Filter{.must = {{filter}}};
  }
  QueryStage stage{.filter = filter};
  expect_fine(stage);
  // A formula's condition counts as one of an outermost filter's.
  Expression formula{.kind = Kind::kCondition,
                     .condition = std::get<Filter>(filter.must.front().is).must};
  formula = Expression{.kind = Kind::kAbs, .operands = {formula}};
  expect_fine({.prefetch = {{}}, .query = FormulaQuery{.formula = formula}});
  for (int i = 0; i < 12; ++i) formula = Expression{.kind = Kind::kAbs, .operands = {formula}};
  const QueryStage deep{.prefetch = {{}}, .query = FormulaQuery{.formula = formula}};
  EXPECT_THAT(why_not(check_query(deep)), HasSubstr("are together nested"));
}

// What a request cannot say, but a program can.
TEST(QueryCheck, RefusesTreesMadeByHand) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto nearest = [](VectorInput input) {
    return QueryStage{.query = NearestQuery{.input = std::move(input)}};
  };
  const std::pair<QueryStage, const char*> refusals[] = {
      {nearest(Dense{1, nan}), "q.query.nearest[1]: nan is no finite number"},
      {nearest(SparseValues{.indices = {2, 1}, .values = {1, 1}}),
       "q.query.nearest.indices[1]: 1 comes after 2; indices are ascending and distinct"},
      {nearest(SparseValues{.indices = {2, 2}, .values = {1, 1}}), "q.query.nearest.indices[1]"},
      {nearest(SparseValues{.indices = {2}, .values = {}}), "has 1 indices but 0 values"},
      {nearest(SparseValues{.indices = {2}, .values = {nan}}), "q.query.nearest.values[0]: nan"},
      {nearest(MultiValues{}), "has 0 numbers in 0 rows"},
      {nearest(MultiValues{.rows = 2, .values = {1, 2, 3}}), "has 3 numbers in 2 rows"},
      {nearest(MultiValues{.rows = 2}), "is empty"},
      {nearest(TextInput{.text = "\xff"}), "q.query.nearest.text: is no UTF-8 at byte 0"},
      {nearest(TextInput{.text = "x", .options = "[]"}), "q.query.nearest.options: is no JSON obj"},
      {{.query = DiscoverQuery{.target = Dense{}}}, "q.query.discover.target: is empty"},
      {{.query = ContextQuery{{{.positive = Dense{1}, .negative = Dense{}}}}},
       "q.query.context[0].negative: is empty"},
      {{.query = FeedbackQuery{.target = Dense{1}, .feedback = {{Dense{}, 1}}}},
       "q.query.relevance_feedback.feedback[0].example: is empty"},
      {{.query = FeedbackQuery{.target = Dense{1}, .feedback = {{Dense{1}, std::nan("")}}}},
       "q.query.relevance_feedback.feedback[0].score: nan"},
      {{.prefetch = {{}}, .query = FusionQuery{.k = std::nan("")}}, "q.query.rrf.k: nan"},
      {{.prefetch = {{}}, .query = FusionQuery{.weights = {std::nan("")}}},
       "q.query.rrf.weights[0]: nan"},
      {{.prefetch = {{.limit = 0}}, .query = FusionQuery{}},
       "q.prefetch[0].limit: is 0, it must be 1 to 10000"},
      {{.filter = Filter{.must = {{FieldCondition{.key = "", .predicate = IsEmpty{}}}}}},
       "q.filter.must[0].key"},
      {{.params = {.ef = limits::kEfMax + 1}}, "q.params.hnsw_ef: is 100001"},
      {{.params = {.quantization = {.oversampling = 0.5}}}, "q.params.quantization.oversampling"},
      {{.params = {.idf_corpus = Filter{.min_should = MinShould{.min_count = 0}}}},
       "q.params.idf.corpus.min_should"},
      {{.query = SampleQuery{}, .score_threshold = nan}, "q.score_threshold: nan is no finite"},
      {{.query = OrderByQuery{.key = ""}}, "q.query.order_by.key"},
      {{.query = WordsQuery{.text = "\xff"}, .using_name = "a"}, "q.query.text: is no UTF-8"},
      {{.prefetch = {{}}, .query = FormulaQuery{.formula = {.kind = Kind::kMax}}},
       "q.query.formula.max: has 0 operands"},
  };
  for (const auto& [stage, message] : refusals) {
    const Status checked = check_query(stage, "q");
    ASSERT_FALSE(checked.ok()) << message;
    EXPECT_THAT(checked.error().message, HasSubstr(message));
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(QueryJsonModel, ReadsBackWhatItWrites) {
  Rng rng(test_seed());
  testing_support::RandomQueries queries(rng);
  for (int round = 0; round < 2000; ++round) {
    const QueryStage stage = queries.stage();
    const std::string json = written_stage(stage);
    ASSERT_EQ(why_not(check_query(stage)), "") << json;
    const Result<RankedRequest> read = read_by(read_query, json);
    ASSERT_EQ(why_not(read), "") << json;
    ASSERT_EQ(read.value().stage, stage) << json << "\n" << written_stage(read.value().stage);
  }
}

}  // namespace
}  // namespace quipu::query
