#include "quipu/api/rest/language_schemas.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include "quipu/api/rest/select_schema.h"
#include "quipu/assert.h"

namespace quipu::api::rest {
namespace {

using Row = std::pair<std::string_view, std::string_view>;

// In each text @Name@ stands for a reference to the component Name. A member that may be absent may
// also be null, as the readers have it: so ~name~ and ^name^ stand for the other predicates of a
// field condition, and the other kinds of match, all null.

// ---------------------------------------------------------------- filters

constexpr std::array kFilters = {
    Row{"Filter", R"({"type":"object","description":"Which points: all of `must`, one of `should`,
 none of `must_not`, `min_count` of `min_should`. The forms are those of Qdrant's filters.",
"properties":{"must":@FilterClause@,"should":@FilterClause@,"must_not":@FilterClause@,
"min_should":{"oneOf":[@MinShould@,{"type":"null"}]}},"required":[],"additionalProperties":false,
"examples":[{"must":[{"key":"page","range":{"gte":7}},
{"key":"lang","match":{"any":["de","fr"]}}]}]})"},
    Row{"FilterClause", R"({"description":"A condition or a list of them.","oneOf":[
@FilterCondition@,{"type":"array","minItems":0,"maxItems":4096,"items":@FilterCondition@},
{"type":"null"}]})"},
    Row{"MinShould", R"({"type":"object","properties":{"conditions":{"type":"array","minItems":0,
"maxItems":4096,"items":@FilterCondition@},"min_count":{"type":"integer","minimum":1,
"maximum":18446744073709551615}},"required":["conditions","min_count"],
"additionalProperties":false})"},
    Row{"FilterCondition", R"({"description":"A condition on a value of the payload or on the point,
 or a filter of its own.","oneOf":[@MatchCondition@,@RangeCondition@,@GeoBoxCondition@,
@GeoRadiusCondition@,@GeoPolygonCondition@,@ValuesCountCondition@,@EmptyCondition@,@NullCondition@,
@IsEmptyCondition@,@IsNullCondition@,@HasIdCondition@,@HasVectorCondition@,@SliceCondition@,
@NestedCondition@,@Filter@]})"},
    Row{"PayloadKey", R"({"type":"string","minLength":1,"maxLength":65536,
"description":"A path into the payload: a.b, a[].b, a[3]."})"},
    Row{"MatchCondition",
        R"({"type":"object","properties":{"key":@PayloadKey@,"match":@Match@~match~},
"required":["key","match"],"additionalProperties":false})"},
    Row{"Match", R"({"description":"A value at the key matches.","oneOf":[
{"type":"object","properties":{"value":{"oneOf":[{"type":"string","maxLength":65536},
{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807},
{"type":"boolean"}]}^value^},"required":["value"],"additionalProperties":false},
{"type":"object","properties":{"any":@MatchList@^any^},"required":["any"],
"additionalProperties":false},
{"type":"object","properties":{"except":@MatchList@^except^},"required":["except"],
"additionalProperties":false},
{"type":"object","properties":{"text":{"type":"string","maxLength":65536,
"description":"It has all of these words."}^text^},"required":["text"],
"additionalProperties":false},
{"type":"object","properties":{"text_any":{"type":"string","maxLength":65536,
"description":"It has one of these words."}^text_any^},"required":["text_any"],
"additionalProperties":false},
{"type":"object","properties":{"phrase":{"type":"string","maxLength":65536,
"description":"It has these words in this order."}^phrase^},"required":["phrase"],
"additionalProperties":false},
{"type":"object","properties":{"prefix":{"type":"string","maxLength":65536}^prefix^},
"required":["prefix"],"additionalProperties":false},
{"type":"object","properties":{"substring":{"type":"string","maxLength":65536}^substring^},
"required":["substring"],"additionalProperties":false}]})"},
    Row{"MatchList", R"({"oneOf":[{"type":"array","minItems":0,"maxItems":100000,
"items":{"type":"string","maxLength":65536}},{"type":"array","minItems":1,"maxItems":100000,
"items":{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807}}]})"},
    Row{"RangeCondition", R"({"type":"object","properties":{"key":@PayloadKey@,"range":{"anyOf":[
@NumberRange@,@DatetimeRange@]}~range~},"required":["key","range"],"additionalProperties":false})"},
    Row{"NumberRange",
        R"({"type":"object","description":"A number within all bounds.","properties":{
"lt":{"type":["number","null"]},"gt":{"type":["number","null"]},"lte":{"type":["number","null"]},
"gte":{"type":["number","null"]}},"required":[],"additionalProperties":false})"},
    Row{"DatetimeRange", R"({"type":"object","description":"A time (RFC 3339, or a date) within all
 bounds, of which there is one.","minProperties":1,"properties":{
"lt":{"type":["string","null"],"maxLength":64},"gt":{"type":["string","null"],"maxLength":64},
"lte":{"type":["string","null"],"maxLength":64},"gte":{"type":["string","null"],"maxLength":64}},
"required":[],"additionalProperties":false})"},
    Row{"GeoPoint", R"({"type":"object","properties":{"lon":{"type":"number","minimum":-180,
"maximum":180},"lat":{"type":"number","minimum":-90,"maximum":90}},"required":["lon","lat"],
"additionalProperties":false})"},
    Row{"GeoBoxCondition", R"({"type":"object","properties":{"key":@PayloadKey@,"geo_bounding_box":{
"type":"object","properties":{"top_left":@GeoPoint@,"bottom_right":@GeoPoint@},
"required":["top_left","bottom_right"],"additionalProperties":false}~geo_bounding_box~},
"required":["key","geo_bounding_box"],"additionalProperties":false})"},
    Row{"GeoRadiusCondition", R"({"type":"object","properties":{"key":@PayloadKey@,"geo_radius":{
"type":"object","properties":{"center":@GeoPoint@,"radius":{"type":"number","minimum":0,
"description":"Metres."}},"required":["center","radius"],"additionalProperties":false}~geo_radius~},
"required":["key","geo_radius"],"additionalProperties":false})"},
    Row{"GeoRing", R"({"type":"object","description":"The last point is the first.","properties":{
"points":{"type":"array","minItems":4,"maxItems":100000,"items":@GeoPoint@}},"required":["points"],
"additionalProperties":false})"},
    Row{"GeoPolygonCondition", R"({"type":"object","properties":{"key":@PayloadKey@,"geo_polygon":{
"type":"object","properties":{"exterior":@GeoRing@,"interiors":{"oneOf":[{"type":"array",
"minItems":0,"maxItems":25000,"items":@GeoRing@},{"type":"null"}]}},"required":["exterior"],
"additionalProperties":false}~geo_polygon~},"required":["key","geo_polygon"],
"additionalProperties":false})"},
    Row{"ValuesCountCondition",
        R"({"type":"object","properties":{"key":@PayloadKey@,"values_count":{
"type":"object","properties":{
"lt":{"type":["integer","null"],"minimum":0,"maximum":18446744073709551615},
"gt":{"type":["integer","null"],"minimum":0,"maximum":18446744073709551615},
"lte":{"type":["integer","null"],"minimum":0,"maximum":18446744073709551615},
"gte":{"type":["integer","null"],"minimum":0,"maximum":18446744073709551615}},"required":[],
"additionalProperties":false}~values_count~},"required":["key","values_count"],
"additionalProperties":false})"},
    Row{"EmptyCondition", R"({"type":"object","properties":{"key":@PayloadKey@,
"is_empty":{"type":"boolean"}~is_empty~},"required":["key","is_empty"],
"additionalProperties":false})"},
    Row{"NullCondition", R"({"type":"object","properties":{"key":@PayloadKey@,
"is_null":{"type":"boolean"}~is_null~},"required":["key","is_null"],
"additionalProperties":false})"},
    Row{"KeyObject", R"({"type":"object","properties":{"key":@PayloadKey@},"required":["key"],
"additionalProperties":false})"},
    Row{"IsEmptyCondition", R"({"type":"object","properties":{"is_empty":@KeyObject@},
"required":["is_empty"],"additionalProperties":false})"},
    Row{"IsNullCondition", R"({"type":"object","properties":{"is_null":@KeyObject@},
"required":["is_null"],"additionalProperties":false})"},
    Row{"HasIdCondition", R"({"type":"object","properties":{"has_id":{"type":"array","minItems":0,
"maxItems":100000,"items":@PointId@}},"required":["has_id"],"additionalProperties":false})"},
    Row{"HasVectorCondition", R"({"type":"object","properties":{"has_vector":{"type":"string",
"maxLength":65536,"description":"The vector's name; the unnamed one has the empty name."}},
"required":["has_vector"],"additionalProperties":false})"},
    Row{"SliceCondition", R"({"type":"object","properties":{"slice":{"type":"object","properties":{
"total":{"type":"integer","minimum":1,"maximum":4294967295},
"index":{"type":"integer","minimum":0,"maximum":4294967295}},"required":["total","index"],
"additionalProperties":false}},"required":["slice"],"additionalProperties":false})"},
    Row{"NestedCondition",
        R"({"type":"object","properties":{"nested":{"type":"object","properties":{
"key":@PayloadKey@,"filter":@Filter@},"required":["key","filter"],"additionalProperties":false}},
"required":["nested"],"additionalProperties":false})"},
};

// ---------------------------------------------------------------- inputs of queries

constexpr std::array kInputs = {
    Row{"DenseInput", R"({"type":"array","minItems":1,"maxItems":65536,"items":{"type":"number",
"format":"float"}})"},
    Row{"RowsInput", R"({"type":"array","description":"Rows of one length.","minItems":1,
"maxItems":1048576,"items":@DenseInput@})"},
    Row{"SparseInput", R"({"type":"object","description":"Dimensions and as many weights.",
"properties":{"indices":{"type":"array","minItems":0,"maxItems":4194304,"items":{"type":"integer",
"minimum":0,"maximum":4294967295}},"values":{"type":"array","minItems":0,"maxItems":4194304,
"items":{"type":"number","format":"float"}}},"required":["indices","values"],
"additionalProperties":false})"},
    Row{"TextInput", R"({"type":"object","description":"Embedded by the vector's model, or analyzed
 where `using` names words.","properties":{"text":{"type":"string","maxLength":1048576},
"model":{"type":["string","null"],"maxLength":255},"options":{"type":["object","null"]}},
"required":["text"],"additionalProperties":false})"},
    Row{"QueryInput", R"({"description":"What stands for a vector. An id stands for that point's
 vector, and leaves the point out of the answer.","oneOf":[@DenseInput@,@RowsInput@,@SparseInput@,
@PointId@,@TextInput@]})"},
    Row{"QueryInputs", R"({"oneOf":[{"type":"array","minItems":0,"maxItems":4096,
"items":@QueryInput@},{"type":"null"}]})"},
    Row{"ContextPair", R"({"type":"object","properties":{"positive":@QueryInput@,
"negative":@QueryInput@},"required":["positive","negative"],"additionalProperties":false})"},
    Row{"ContextPairs", R"({"oneOf":[@ContextPair@,{"type":"array","minItems":0,"maxItems":2048,
"items":@ContextPair@}]})"},
};

// ---------------------------------------------------------------- formulas

// Functions of one operand, of several, and decays are alike: made from these.
constexpr std::string_view kUnary = R"({"type":"object","properties":{"#":@Expression@},
"required":["#"],"additionalProperties":false})";
constexpr std::string_view kSeveral = R"({"type":"object","properties":{"#":{"type":"array",
"minItems":0,"maxItems":1024,"items":@Expression@}},"required":["#"],
"additionalProperties":false})";
constexpr std::string_view kAtLeastOne = R"({"type":"object","properties":{"#":{"type":"array",
"minItems":1,"maxItems":1024,"items":@Expression@}},"required":["#"],
"additionalProperties":false})";
constexpr std::string_view kDecay = R"({"type":"object","properties":{"#":{"type":"object",
"properties":{"x":@Expression@,"target":{"oneOf":[@Expression@,{"type":"null"}]},
"scale":{"type":["number","null"],"exclusiveMinimum":0},
"midpoint":{"type":["number","null"],"minimum":0,"maximum":1}},"required":["x"],
"additionalProperties":false}},"required":["#"],"additionalProperties":false})";
constexpr std::string_view kString = R"({"type":"object","properties":{"#":{"type":"string",
"minLength":1,"maxLength":65536}},"required":["#"],"additionalProperties":false})";

constexpr std::array kFunctions = {
    Row{"sum", kSeveral},         Row{"mult", kSeveral},      Row{"max", kAtLeastOne},
    Row{"min", kAtLeastOne},      Row{"neg", kUnary},         Row{"abs", kUnary},
    Row{"sqrt", kUnary},          Row{"exp", kUnary},         Row{"ln", kUnary},
    Row{"log10", kUnary},         Row{"acosh", kUnary},       Row{"lin_decay", kDecay},
    Row{"exp_decay", kDecay},     Row{"gauss_decay", kDecay}, Row{"datetime", kString},
    Row{"datetime_key", kString},
};

// The functions of kFunctions come behind.
constexpr std::string_view kExpressionBegin =
    R"({"description":"A number; a variable ($score, $score[i] of prefetch i, or a payload key of a
 number); a condition (1 where it holds, else 0); or a function of expressions.","oneOf":[
{"type":"number"},{"type":"string","minLength":1,"maxLength":65536},@FilterCondition@,
{"type":"object","properties":{"div":{"type":"object","properties":{"left":@Expression@,
"right":@Expression@,"by_zero_default":{"type":["number","null"]}},"required":["left","right"],
"additionalProperties":false}},"required":["div"],"additionalProperties":false},
{"type":"object","properties":{"pow":{"type":"object","properties":{"base":@Expression@,
"exponent":@Expression@},"required":["base","exponent"],"additionalProperties":false}},
"required":["pow"],"additionalProperties":false},
{"type":"object","properties":{"geo_distance":{"type":"object","properties":{"origin":@GeoPoint@,
"to":@PayloadKey@},"required":["origin","to"],"additionalProperties":false}},
"required":["geo_distance"],"additionalProperties":false})";

// ---------------------------------------------------------------- queries

constexpr std::array kQueries = {
    Row{"OrderBy", R"({"description":"A payload key of numbers or times.","oneOf":[@PayloadKey@,
{"type":"object","properties":{"key":@PayloadKey@,"direction":{"oneOf":[{"type":"string",
"enum":["asc","desc"]},{"type":"null"}]},"start_from":{"description":"Inclusive.",
"oneOf":[{"type":"number"},{"type":"string","minLength":1,"maxLength":64},{"type":"null"}]}},
"required":["key"],"additionalProperties":false}]})"},
    Row{"Weights", R"({"description":"One for each prefetch.","oneOf":[{"type":"array","minItems":0,
"maxItems":64,"items":{"type":"number"}},{"type":"null"}]})"},
    Row{"StageQuery", R"({"description":"What is asked: an input, to which the nearest are found, or
 one of the other kinds.","oneOf":[@DenseInput@,@RowsInput@,@SparseInput@,@PointId@,
@EmbeddedText@,@NearestQuery@,@RecommendQuery@,@DiscoverQuery@,@ContextQuery@,@FeedbackQuery@,
@OrderByQuery@,@FusionQuery@,@RrfQuery@,@DbsfQuery@,@WeightedQuery@,@FormulaQuery@,@SampleQuery@,
@WordsQuery@,@RerankQuery@]})"},
    Row{"EmbeddedText", R"({"type":"object","properties":{"text":{"type":"string",
"maxLength":1048576},"model":{"type":"string","maxLength":255},
"options":{"type":["object","null"]}},"required":["text","model"],"additionalProperties":false})"},
    Row{"NearestQuery", R"({"type":"object","properties":{"nearest":@QueryInput@,"mmr":{"oneOf":[
{"type":"object","description":"Hits that are like the query and unlike each other.","properties":{
"diversity":{"type":["number","null"],"minimum":0,"maximum":1},
"candidates_limit":{"type":["integer","null"],"minimum":1,"maximum":16384}},"required":[],
"additionalProperties":false},{"type":"null"}]}},"required":["nearest"],
"additionalProperties":false})"},
    Row{"RecommendQuery", R"({"type":"object","properties":{"recommend":{"type":"object",
"properties":{"positive":@QueryInputs@,"negative":@QueryInputs@,"strategy":{"oneOf":[
{"type":"string","enum":["average_vector","best_score","sum_scores"]},{"type":"null"}]}},
"required":[],"additionalProperties":false}},"required":["recommend"],
"additionalProperties":false})"},
    Row{"DiscoverQuery", R"({"type":"object","properties":{"discover":{"type":"object",
"properties":{"target":@QueryInput@,"context":{"oneOf":[@ContextPairs@,{"type":"null"}]}},
"required":["target"],"additionalProperties":false}},"required":["discover"],
"additionalProperties":false})"},
    Row{"ContextQuery", R"({"type":"object","properties":{"context":@ContextPairs@},
"required":["context"],"additionalProperties":false})"},
    Row{"FeedbackQuery", R"({"type":"object","properties":{"relevance_feedback":{"type":"object",
"properties":{"target":@QueryInput@,"feedback":{"type":"array","minItems":1,"maxItems":256,
"items":{"type":"object","properties":{"example":@QueryInput@,"score":{"type":"number"}},
"required":["example","score"],"additionalProperties":false}},"strategy":{"type":"object",
"properties":{"naive":{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number",
"minimum":0},"c":{"type":"number"}},"required":["a","b","c"],"additionalProperties":false}},
"required":["naive"],"additionalProperties":false}},"required":["target","feedback","strategy"],
"additionalProperties":false}},"required":["relevance_feedback"],"additionalProperties":false})"},
    Row{"OrderByQuery", R"({"type":"object","properties":{"order_by":@OrderBy@},
"required":["order_by"],"additionalProperties":false})"},
    Row{"FusionQuery", R"({"type":"object","properties":{"fusion":{"type":"string",
"enum":["rrf","dbsf","weighted"]}},"required":["fusion"],"additionalProperties":false})"},
    Row{"RrfQuery", R"({"type":"object","properties":{"rrf":{"type":"object","properties":{
"k":{"type":["number","null"],"minimum":1,"description":"2 unless given."},"weights":@Weights@},
"required":[],"additionalProperties":false}},"required":["rrf"],"additionalProperties":false})"},
    Row{"DbsfQuery", R"({"type":"object","properties":{"dbsf":{"type":"object","properties":{
"weights":@Weights@},"required":[],"additionalProperties":false}},"required":["dbsf"],
"additionalProperties":false})"},
    Row{"WeightedQuery",
        R"({"type":"object","properties":{"weighted":{"type":"object","properties":{
"weights":@Weights@},"required":[],"additionalProperties":false}},"required":["weighted"],
"additionalProperties":false})"},
    Row{"FormulaQuery", R"({"type":"object","properties":{"formula":@Expression@,"defaults":{
"type":["object","null"],"description":"Values of variables that are missing.",
"additionalProperties":true}},"required":["formula"],"additionalProperties":false})"},
    Row{"SampleQuery", R"({"type":"object","properties":{"sample":{"type":"string",
"enum":["random"]}},"required":["sample"],"additionalProperties":false})"},
    Row{"RerankQuery",
        R"({"type":"object","description":"What the prefetches found, by a cross-encoder
 that reads the text and each point's: scores from 0 to 1. Of at most 1,000 points.","properties":{
"rerank":{"type":"object","properties":{"text":{"type":"string","minLength":1,"maxLength":1048576},
"model":{"type":"string","minLength":1,"maxLength":255},"key":{"oneOf":[@PayloadKey@,
{"type":"string","maxLength":0},{"type":"null"}],"description":"A payload key with the points'
 texts; their own text unless given."}},"required":["text","model"],"additionalProperties":false}},
"required":["rerank"],"additionalProperties":false})"},
    Row{"WordsQuery", R"({"type":"object","description":"Points with words of the text, by BM25;
 `using` names the words.","properties":{"text":{"oneOf":[{"type":"string","maxLength":1048576},
{"type":"object","properties":{"query":{"type":"string","maxLength":1048576},"scoring":{"oneOf":[
{"type":"object","properties":{"bm25":{"type":"object","properties":{
"k":{"type":["number","null"],"minimum":0},"b":{"type":["number","null"],"minimum":0,"maximum":1}},
"required":[],"additionalProperties":false}},"required":["bm25"],"additionalProperties":false},
{"type":"null"}]}},"required":["query"],"additionalProperties":false}]}},"required":["text"],
"additionalProperties":false})"},
    Row{"StageParams", R"({"type":"object","properties":{
"hnsw_ef":{"type":["integer","null"],"minimum":1,"maximum":100000},
"exact":{"type":["boolean","null"]},"indexed_only":{"type":["boolean","null"],
"description":"Changes nothing: all points are searched."},"quantization":{"oneOf":[{
"type":"object","properties":{"ignore":{"type":["boolean","null"]},
"rescore":{"type":["boolean","null"]},"oversampling":{"type":["number","null"],"minimum":1}},
"required":[],"additionalProperties":false},{"type":"null"}]},"acorn":{"description":
"Changes nothing: the engine chooses.","oneOf":[{"type":"object","properties":{
"enable":{"type":["boolean","null"]},"max_selectivity":{"type":["number","null"],"minimum":0,
"maximum":1}},"required":[],"additionalProperties":false},{"type":"null"}]},"idf":{"description":
"Over which points words are counted.","oneOf":[{"type":"string","enum":["global"]},{
"type":"object","properties":{"corpus":@Filter@},"required":["corpus"],
"additionalProperties":false},{"type":"null"}]}},"required":[],"additionalProperties":false})"},
    Row{"LookupFrom", R"({"type":"object","description":"Another collection, whose vectors ids stand
 for.","properties":{"collection":{"type":"string","minLength":1,"maxLength":255},
"vector":{"type":["string","null"],"maxLength":255}},"required":["collection"],
"additionalProperties":false})"},
};

// The members of every stage; # is what a request has besides.
constexpr std::string_view kStage = R"({"type":"object","description":"@","properties":{
"prefetch":{"description":"Stages whose points this one ranks.","oneOf":[@Prefetch@,{"type":"array",
"minItems":0,"maxItems":64,"items":@Prefetch@},{"type":"null"}]},
"query":{"oneOf":[@StageQuery@,{"type":"null"}]},
"using":{"type":["string","null"],"maxLength":255,
"description":"A vector, or words; the unnamed vector unless given."},
"filter":{"description":"Only points for which it holds; in the prefetches too.",
"oneOf":[@Filter@,{"type":"null"}]},
"params":{"oneOf":[@StageParams@,{"type":"null"}]},
"score_threshold":{"type":["number","null"],"description":"Worse hits are left out."},
"lookup_from":{"oneOf":[@LookupFrom@,{"type":"null"}]}#},
"required":[%],"additionalProperties":false})";

struct StageRow {
  std::string_view name;
  std::string_view doc;
  std::string_view more;
  std::string_view required;
};
constexpr std::array kStages = {
    StageRow{"Prefetch", "A stage of a query.",
             R"(,"limit":{"type":["integer","null"],"minimum":1,"maximum":10000,
"description":"How many points; 10 unless given."})",
             ""},
    StageRow{"Query",
             "What to find, as a tree of stages. A stage without prefetch looks through the whole "
             "collection. The language is Qdrant's query API.",
             R"(,"limit":{"type":["integer","null"],"minimum":1,"maximum":10000,
"description":"How many hits; 10 unless given."},
"offset":{"type":["integer","null"],"minimum":0,"maximum":10000,
"description":"How many of the best to pass over."},
"with_payload":@PayloadSelection@,"with_text":{"type":"boolean","description":
"true unless given."},"with_vector":@VectorSelection@,"explain":{"type":"boolean","description":
"Say how the answer was found, and the parts of each fused score."})",
             ""},
    StageRow{"QueryGroups", "A query whose hits are put into groups by a payload key.",
             R"(,"limit":{"type":["integer","null"],"minimum":1,"maximum":1000,
"description":"How many groups; 10 unless given."},
"group_by":@PayloadKey@,"group_size":{"type":["integer","null"],"minimum":1,"maximum":100,
"description":"Hits of each group; 3 unless given."},
"with_payload":@PayloadSelection@,"with_text":{"type":"boolean","description":
"true unless given."},"with_vector":@VectorSelection@,"explain":{"type":"boolean"})",
             R"("group_by")"},
};

// ---------------------------------------------------------------- analyzers

constexpr std::array kAnalyzers = {
    Row{"Analyzer", R"({"type":"object","description":"How a text becomes words.","properties":{
"tokenizer":{"oneOf":[{"type":"string","enum":["word","whitespace","prefix","multilingual"]},
{"type":"null"}],"description":"word (Unicode's boundaries) unless given."},
"lowercase":{"type":["boolean","null"],"description":"true unless given."},
"ascii_folding":{"type":["boolean","null"],"description":"Accents off; false unless given."},
"language":{"type":["string","null"],"maxLength":64,"description":"Stemmer and stop words of this
 language, by name or code; none for neither."},
"stemmer":{"oneOf":[{"type":"string","maxLength":64},{"type":"object","properties":{
"type":{"type":"string","enum":["snowball","none"]},"language":{"type":["string","null"],
"maxLength":64}},"required":["type"],"additionalProperties":false},{"type":"null"}]},
"stopwords":{"oneOf":[{"type":"string","maxLength":64},{"type":"object","properties":{
"languages":{"oneOf":[{"type":"array","minItems":0,"maxItems":100000,"items":{"type":"string",
"maxLength":64}},{"type":"null"}]},"custom":{"oneOf":[{"type":"array","minItems":0,
"maxItems":10000,"items":{"type":"string","maxLength":255}},{"type":"null"}]}},"required":[],
"additionalProperties":false},{"type":"null"}]},
"min_token_len":{"type":["integer","null"],"minimum":0,"maximum":1024},
"max_token_len":{"type":["integer","null"],"minimum":1,"maximum":1024}},"required":[],
"additionalProperties":false})"},
};

// ---------------------------------------------------------------- putting them together

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

constexpr std::array<std::string_view, 8> kPredicates = {
    "match",       "range",        "geo_bounding_box", "geo_radius",
    "geo_polygon", "values_count", "is_empty",         "is_null"};
constexpr std::array<std::string_view, 8> kMatches = {"value",    "any",    "except", "text",
                                                      "text_any", "phrase", "prefix", "substring"};

// Puts all of `names` but one, as members that are null, in the place of that one between marks.
void put_nulls(std::string& text, char mark, std::span<const std::string_view> names) {
  for (const std::string_view one : names) {
    std::string nulls;
    for (const std::string_view other : names) {
      if (other != one) nulls += ",\"" + std::string(other) + "\":{\"type\":\"null\"}";
    }
    replace_all(text, mark + std::string(one) + mark, nulls);
  }
}

std::string expression() {
  std::string text(kExpressionBegin);
  for (const auto& [name, form] : kFunctions) {
    std::string function(form);
    replace_all(function, "#", name);
    text += ",\n" + function;
  }
  return text + "]}";
}

std::string stage(const StageRow& row) {
  std::string text(kStage);
  text.replace(text.find("\"@\"") + 1, 1, row.doc);
  text.replace(text.find('#'), 1, row.more);
  text.replace(text.find('%'), 1, row.required);
  return text;
}

// The component's text with @Name@ still in it; "" for one that is not of these languages.
std::string text_of(std::string_view name) {
  const auto in = [name](const auto& table) -> std::string_view {
    const auto found = std::ranges::find(table, name, &Row::first);
    return found == table.end() ? std::string_view() : found->second;
  };
  for (const std::string_view found : {in(kFilters), in(kInputs), in(kQueries), in(kAnalyzers)}) {
    if (found.empty()) continue;
    std::string text(found);
    put_nulls(text, '~', kPredicates);
    put_nulls(text, '^', kMatches);
    return text;
  }
  if (name == "Expression") return expression();
  const auto found = std::ranges::find(kStages, name, &StageRow::name);
  return found == kStages.end() ? "" : stage(*found);
}

// Those that are described by schemas.
void add_described(std::string_view name, Components& components) {
  std::string unused;
  JsonWriter out(unused);
  if (name == "PointId") return point_id()->describe(out, components, "");
  if (name == "PayloadSelection") return payload_selection()->describe(out, components, "");
  QUIPU_ASSERT(name == "VectorSelection");
  vector_selection()->describe(out, components, "");
}

}  // namespace

// Recursion ends where a component is there already.
void add_language(std::string_view name, Components& components) {
  if (components.contains(name)) return;
  std::string text = text_of(name);
  if (text.empty()) return add_described(name, components);
  components.emplace(std::string(name), "");
  std::erase(text, '\n');  // the table's lines, and no part of a description
  std::string made;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t open = std::min(text.find('@', begin), text.size());
    made.append(text, begin, open - begin);
    if (open == text.size()) break;
    const std::size_t close = text.find('@', open + 1);
    const std::string other = text.substr(open + 1, close - open - 1);
    add_language(other, components);
    made += R"({"$ref":"#/components/schemas/)" + other + "\"}";
    begin = close + 1;
  }
  components[std::string(name)] = std::move(made);
}

void describe_language(JsonWriter& out, Components& components, std::string_view name,
                       std::string_view doc) {
  add_language(name, components);
  const std::string reference = "#/components/schemas/" + std::string(name);
  out.begin_object().key("$ref").value(std::string_view(reference));
  write_doc(out, doc);
  out.end_object();
}

}  // namespace quipu::api::rest
