// One search in several collections: each is asked, and the hits are merged by their scores.
//
// A collection that cannot answer (it is not there, has no such vector, has vectors of another
// length) does not hide what the others found: its error stands beside their hits. When none can
// answer, the search fails.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "quipu/api/calls/search_input.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api {

inline constexpr std::size_t kSeveralCollectionsMax = 64;  // of one search
// Of one request, over all its searches.
inline constexpr std::size_t kSeveralSearchesMax = 1'024;

struct SeveralInput {
  std::vector<std::string> collections;  // names or aliases, 1..kSeveralCollectionsMax
  SearchInput search;
  Select select;
};

// That no name is there twice; and check_search().
void check_several(const std::vector<std::string>& collections, const SearchInput& search,
                   const Path& at, FieldErrors& errors);
[[nodiscard]] Error too_many_searches(std::size_t searches);

struct SeveralPart {
  std::string name;  // as the request says
  std::optional<CollectionInfo> info;
  RankedRequest request;
  SearchResult result;
  std::optional<Error> error;
  double took_ms = 0;
};
struct SeveralHit {
  std::size_t part = 0;  // a place in `parts`
  std::size_t hit = 0;   // a place in its result's hits
};
struct SeveralResult {
  std::vector<SeveralPart> parts;  // as the request lists the collections
  std::vector<SeveralHit> hits;    // best first; equal scores as the collections are listed
  double took_ms = 0;
};

// Asks one collection after the other, on this thread. Waits for the embedder where there is a
// text. Errors: what concerns the search as a whole (kInvalidArgument "duplicate_name",
// "incompatible_metrics"); the first collection's when all have one.
[[nodiscard]] Result<SeveralResult> search_several(const Call& call, const SeveralInput& input,
                                                   const ReadParams& params);

}  // namespace quipu::api
