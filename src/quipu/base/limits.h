// Every size that a user can choose is checked against one of these. They are the hard limits of
// the formats and algorithms; configuration sets lower ones where that helps.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quipu::limits {

inline constexpr std::uint32_t kDimMax = 65'536;
inline constexpr std::size_t kVectorsPerCollectionMax = 16;
inline constexpr std::size_t kNameBytesMax = 255;  // tenants, collections, vector names
inline constexpr std::uint32_t kShardsPerCollectionMax = 64;
inline constexpr std::size_t kCollectionsMax = 100'000;
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

}  // namespace quipu::limits
