// Search by vector, by text, by a point that is there, or by meaning and words together.
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/api/rest/ranked.h"
#include "quipu/api/rest/search_body.h"
#include "quipu/base/limits.h"

namespace quipu::api::rest {
namespace {

const SchemaPtr<OneOrMany<SearchBody>>& search_schema() {
  static const SchemaPtr<SearchBody> item =
      search_members(
          Object<SearchBody>("Search",
                             "What to look for: exactly one of vector, text and id; for hybrid a "
                             "text, and a vector or an id may stand for its meaning."))
          .check([](const SearchBody& body, const Path& at, FieldErrors& errors) {
            check_search(body, at, errors);
          })
          .done();
  static const auto schema = one_or_many("queries", item, limits::kSearchBatchMax);
  return schema;
}

}  // namespace

void search(const CallPtr& call) {
  auto body = call->body(search_schema());
  if (!body) return;
  call->drop_body();
  OneOrMany<RankedRequest> requests{.items = {}, .one = body->one};
  requests.items.reserve(body->items.size());
  for (std::size_t i = 0; i < body->items.size(); ++i) {
    SearchBody& item = body->items[i];
    const Select select = item.select();
    auto request =
        to_request(std::move(static_cast<SearchInput&>(item)), select, *call, call->parameter(0));
    if (!request.ok()) return fail_query(call, request.error(), body->one, i);
    requests.items.push_back(std::move(request).value());
  }
  answer_ranked(call, std::move(requests));
}

void describe_search(JsonWriter& out, Components& components) {
  search_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
