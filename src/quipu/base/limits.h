// Every size that a user can choose is checked against one of these. They are the hard limits of
// the formats and algorithms; configuration sets lower ones where that helps.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quipu::limits {

inline constexpr std::uint32_t kDimMax = 65'536;
inline constexpr std::size_t kVectorsPerCollectionMax = 16;
// Values of one vector: a multivector's rows together, a sparse vector's weights.
inline constexpr std::size_t kVectorValuesMax = 1U << 20;
inline constexpr std::size_t kWordsFieldsMax = 8;       // per collection
inline constexpr std::size_t kPayloadIndexesMax = 100;  // per collection
inline constexpr std::size_t kNameBytesMax = 255;       // tenants, collections, vector names
inline constexpr std::uint32_t kShardsPerCollectionMax = 64;
inline constexpr std::size_t kCollectionsMax = 100'000;
inline constexpr std::size_t kAliasesMax = 100'000;        // other names of collections, in all
inline constexpr std::size_t kAliasChangesMax = 10'000;    // in one request
inline constexpr std::size_t kVectorChangesMax = 64;       // of one collection, in one request
inline constexpr std::size_t kPayloadBytesMax = 1U << 20;  // one point's payload
inline constexpr std::size_t kTextBytesMax = 1U << 20;     // one point's text
inline constexpr std::size_t kJsonDepthMax = 64;
// A longer text is refused unread: above a request body, below what the parser's 32-bit places
// hold.
inline constexpr std::size_t kJsonBytesMax = 256U << 20;
inline constexpr std::size_t kBatchPointsMax = 10'000;    // points in one write
inline constexpr std::size_t kBatchBytesMax = 64U << 20;  // encoded bytes of one operation
inline constexpr std::size_t kIdsPerRequestMax = 10'000;
inline constexpr std::size_t kSearchHitsMax = 10'000;  // k + offset
inline constexpr std::uint32_t kEfMax = 100'000;
inline constexpr std::size_t kScrollPageMax = 10'000;
inline constexpr std::size_t kRequestBytesMax = 64U << 20;  // an HTTP body
inline constexpr std::size_t kIdempotencyKeyBytesMax = 255;
inline constexpr std::size_t kIdempotencyKeysMax = 1'000'000;  // per shard
inline constexpr std::int64_t kIdempotencyAgeUsMax = 24LL * 3600 * 1'000'000;
inline constexpr std::size_t kSearchBatchMax = 128;
// Filters. A filter inside a filter is one level deeper, one inside `nested` two: so the JSON of
// the deepest (53 levels) still fits a request, whose own limit is kJsonDepthMax.
inline constexpr std::size_t kFilterDepthMax = 24;
inline constexpr std::size_t kFilterConditionsMax = 4'096;  // in all, sub-filters included
// Listed values in all: of any and except, ids, points of polygons.
inline constexpr std::size_t kFilterValuesMax = 100'000;
inline constexpr std::size_t kFilterStringBytesMax = 64U << 10;  // each key, value and text
inline constexpr std::size_t kFilterTextWordsMax = 1'024;        // of one text to match
// Queries. The first two and the formulas' are together bounded by kJsonDepthMax too: every query
// can be written as JSON that a request may hold.
inline constexpr std::size_t kQueryDepthMax = 8;           // the outermost stage is at 1
inline constexpr std::size_t kQueryStagesMax = 64;         // of one query, nested ones included
inline constexpr std::size_t kQueryVectorsMax = 4'096;     // of all stages; ids and texts too
inline constexpr std::size_t kQueryNumbersMax = 4U << 20;  // in all these vectors
inline constexpr std::size_t kFeedbackMax = 256;           // examples of one FeedbackQuery
inline constexpr std::size_t kMmrCandidatesMax = 16'384;
inline constexpr std::size_t kRerankCandidatesMax = 1'000;
inline constexpr std::size_t kExpressionDepthMax = 24;     // the whole formula is at 1
inline constexpr std::size_t kExpressionPartsMax = 1'024;  // of one formula
inline constexpr std::size_t kFormulaDefaultsMax = 256;

}  // namespace quipu::limits
