// The body of a search: what it looks for and what comes back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quipu/api/calls/search_input.h"
#include "quipu/api/rest/filter_schema.h"
#include "quipu/api/rest/select_schema.h"
#include "quipu/base/limits.h"

namespace quipu::api::rest {

struct SearchBody : Selection, SearchInput {};

[[nodiscard]] SchemaPtr<HybridInput> hybrid_schema();
// A member of a base, as one of the struct that a schema is for.
template <typename T, typename Base, typename M>
[[nodiscard]] constexpr M T::*member_of(M Base::*member) {
  return member;
}

// Adds them to an object whose struct is a SearchBody.
template <typename T>
[[nodiscard]] Object<T> search_members(Object<T> object) {
  return select_members(
             std::move(object)
                 .optional("vector", member_of<T>(&SearchBody::vector), maybe(vector_value()),
                           "The query vector.")
                 .optional(
                     "text", member_of<T>(&SearchBody::text), maybe(text(1, limits::kTextBytesMax)),
                     "Embedded by the model of the vector that is searched, or analyzed where "
                     "vector_name names words.")
                 .optional("id", member_of<T>(&SearchBody::id), maybe(point_id()),
                           "Uses the vector of this point, which is left out of the answer.")
                 .optional("vector_name", member_of<T>(&SearchBody::vector_name), text(0, 64),
                           "Which vector, or which words, are searched; the unnamed vector unless "
                           "given.")
                 .optional("k", member_of<T>(&SearchBody::k),
                           integer<std::size_t>(1, limits::kSearchHitsMax),
                           "How many hits; 10 unless given.")
                 .optional("offset", member_of<T>(&SearchBody::offset),
                           integer<std::size_t>(0, limits::kSearchHitsMax - 1),
                           "How many of the best to pass over; 0 unless given.")
                 .optional("ef", member_of<T>(&SearchBody::ef),
                           integer<std::uint32_t>(0, limits::kEfMax),
                           "Effort of an approximate search; 0 leaves it to the engine.")
                 .optional("exact", member_of<T>(&SearchBody::exact), boolean(),
                           "Compare with every point.")
                 .optional("filter", member_of<T>(&SearchBody::filter), maybe(filter_schema()),
                           "Only points for which it holds; k of them whenever k hold.")
                 .optional("score_threshold", member_of<T>(&SearchBody::score_threshold),
                           maybe(real()), "Worse hits are left out.")
                 .optional("hybrid", member_of<T>(&SearchBody::hybrid), maybe(hybrid_schema()),
                           "Search by meaning and by words together."))
      .optional("explain", member_of<T>(&SearchBody::explain), boolean(),
                "Say how the answer was found, how long each stage took, and what each ranking "
                "gave to a fused score.");
}

}  // namespace quipu::api::rest
