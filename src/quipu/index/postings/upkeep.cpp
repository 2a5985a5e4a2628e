#include "quipu/index/postings/upkeep.h"

#include <iterator>

namespace quipu::index {

void add_closed(ClosedRows& closed, std::span<const std::uint32_t> rows) {
  closed.rest.insert(closed.rest.end(), rows.begin(), rows.end());
  std::sort(closed.rest.begin(), closed.rest.end());
  if (closed.rest.size() <= kClosedRestMax) return;
  auto most = std::make_shared<std::vector<std::uint32_t>>();
  most->reserve(closed.size());
  std::merge(closed.most->begin(), closed.most->end(), closed.rest.begin(), closed.rest.end(),
             std::back_inserter(*most));
  closed.most = std::move(most);
  closed.rest.clear();
}

void drop_closed(ClosedRows& closed, const std::vector<std::uint32_t>& gone) {
  auto most = std::make_shared<std::vector<std::uint32_t>>();
  std::set_difference(closed.most->begin(), closed.most->end(), gone.begin(), gone.end(),
                      std::back_inserter(*most));
  std::vector<std::uint32_t> rest;
  std::set_difference(closed.rest.begin(), closed.rest.end(), gone.begin(), gone.end(),
                      std::back_inserter(rest));
  closed.most = std::move(most);
  closed.rest = std::move(rest);
}

}  // namespace quipu::index
