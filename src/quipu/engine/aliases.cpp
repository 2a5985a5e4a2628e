// Other names of collections: judged in apply, one change after the other, and kept with the
// catalogue.
#include <optional>
#include <string>
#include <utility>

#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/engine/catalogue.h"
#include "quipu/engine/engine_state.h"
#include "quipu/engine/refusals.h"

namespace quipu::engine {
namespace {

constexpr std::uint8_t kAliasFormat = 1;

using AliasKind = storage::AliasChange::Kind;

// What callers say is what is logged.
constexpr bool same(AliasKind logged, quipu::AliasChange::Kind said) {
  return static_cast<int>(logged) == static_cast<int>(said);
}
static_assert(same(AliasKind::kPut, quipu::AliasChange::Kind::kPut) &&
              same(AliasKind::kDelete, quipu::AliasChange::Kind::kDelete) &&
              same(AliasKind::kRename, quipu::AliasChange::Kind::kRename) &&
              same(AliasKind::kDeleteIfThere, quipu::AliasChange::Kind::kDeleteIfThere));

// Judges changes over what those before them did.
class AliasJudge {
 public:
  AliasJudge(const Catalogue& catalogue, const storage::UpdateAliasesOp& op)
      : catalogue_(catalogue), op_(op) {
    edits_.tenant = op.tenant;
  }

  // Nothing when all of them may be done.
  std::optional<Error> run() {
    for (std::size_t i = 0; i < op_.changes.size(); ++i) {
      if (auto error = judge(op_.changes[i])) {
        if (op_.changes.size() > 1) error->message = format("changes[{}]: {}", i, error->message);
        return error;
      }
    }
    if (count() <= limits::kAliasesMax) return std::nullopt;
    return Error{ErrorCode::kResourceExhausted,
                 format("there would be {} aliases; the limit is {}", count(), limits::kAliasesMax),
                 "too_many_aliases"};
  }
  AliasEdits take() { return std::move(edits_); }

 private:
  std::optional<Error> judge(const storage::AliasChange& change) {
    switch (change.kind) {
      case AliasKind::kPut: return put(change.alias, change.target);
      case AliasKind::kRename: return rename(change.alias, change.target);
      case AliasKind::kDelete:
        if (!target_of(change.alias)) return not_found(change.alias);
        break;
      case AliasKind::kDeleteIfThere: break;
    }
    edits_.targets[change.alias] = std::nullopt;
    return std::nullopt;
  }

  std::optional<Error> put(const std::string& alias, const std::string& collection) {
    const auto found = catalogue_.find_own(op_.tenant, collection);
    if (!found.ok()) {
      Error error = found.error();
      if (target_of(collection)) {
        error.message =
            format("'{}' is an alias; an alias names a collection by its own name", collection);
      }
      return error;
    }
    if (auto error = refuse_collection(alias)) return error;
    edits_.targets[alias] = collection;
    return std::nullopt;
  }

  std::optional<Error> rename(const std::string& alias, const std::string& to) {
    if (auto error = refuse_collection(to)) return error;
    std::optional<std::string> target = target_of(alias);
    if (!target) return not_found(alias);
    edits_.targets[alias] = std::nullopt;
    edits_.targets[to] = std::move(target);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Error> refuse_collection(const std::string& alias) const {
    if (!catalogue_.find_own(op_.tenant, alias).ok()) return std::nullopt;
    return Error{ErrorCode::kAlreadyExists,
                 format("the collection '{}' already exists; an alias cannot have its name", alias),
                 "collection_exists"};
  }

  [[nodiscard]] Error not_found(const std::string& alias) const {
    return Error{ErrorCode::kNotFound,
                 format("there is no alias '{}' of tenant '{}'", alias, op_.tenant),
                 "alias_not_found"};
  }

  [[nodiscard]] std::optional<std::string> target_of(const std::string& alias) const {
    const auto edited = edits_.targets.find(alias);
    if (edited != edits_.targets.end()) return edited->second;
    return catalogue_.alias_target(op_.tenant, alias);
  }

  [[nodiscard]] std::size_t count() const {
    std::size_t there = catalogue_.alias_count();
    for (const auto& [alias, target] : edits_.targets) {
      const bool before = catalogue_.alias_target(op_.tenant, alias).has_value();
      if (before && !target) --there;
      if (!before && target) ++there;
    }
    return there;
  }

  const Catalogue& catalogue_;
  const storage::UpdateAliasesOp& op_;
  AliasEdits edits_;
};

}  // namespace

CatalogueChange judge_aliases(const Catalogue& catalogue, CatalogueCounters counters,
                              const storage::UpdateAliasesOp& op) {
  CatalogueChange change;
  change.counters = counters;
  AliasJudge judge(catalogue, op);
  change.refused = judge.run();
  if (!change.refused) change.aliases = judge.take();
  return change;
}

std::string encode_alias_record(std::string_view collection) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kAliasFormat);
  out.sized(collection);
  return bytes;
}

Result<std::string> decode_alias_record(std::string_view bytes) {
  ByteReader in(bytes);
  const std::uint8_t number = in.u8();
  std::string collection(in.sized());
  if (!in.ok() || in.left() != 0 || number != kAliasFormat) {
    return Error{ErrorCode::kCorruption, "an alias's record does not decode", "damaged_record"};
  }
  return collection;
}

}  // namespace quipu::engine

namespace quipu {

Status Engine::update_aliases(std::string_view tenant, const std::vector<AliasChange>& changes) {
  QUIPU_TRY_OK(state_->check_open());
  QUIPU_TRY_OK(engine::validate_name("tenant", tenant));
  if (changes.empty() || changes.size() > limits::kAliasChangesMax) {
    return engine::invalid(format("there are {} changes of aliases; there must be from 1 to {}",
                                  changes.size(), limits::kAliasChangesMax),
                           changes.empty() ? "empty_batch" : "batch_too_large");
  }
  storage::UpdateAliasesOp op{.tenant = std::string(tenant), .changes = {}};
  op.changes.reserve(changes.size());
  for (const AliasChange& change : changes) {
    const bool targeted =
        change.kind == AliasChange::Kind::kPut || change.kind == AliasChange::Kind::kRename;
    QUIPU_TRY_OK(engine::validate_name("alias", change.alias));
    if (targeted) {
      const bool put = change.kind == AliasChange::Kind::kPut;
      QUIPU_TRY_OK(engine::validate_name(put ? "collection" : "alias", change.target));
    }
    op.changes.push_back({.kind = static_cast<storage::AliasChange::Kind>(change.kind),
                          .alias = change.alias,
                          .target = targeted ? change.target : std::string()});
  }
  QUIPU_TRY_OK(engine::run_catalogue_operation(*state_, std::move(op)));
  return ok_status();
}

std::vector<Alias> Engine::aliases(std::string_view tenant) {
  return state_->catalogue.aliases(tenant);
}

Result<std::vector<Alias>> Engine::aliases_of(std::string_view tenant,
                                              std::string_view collection) {
  QUIPU_TRY(const std::shared_ptr<const engine::Collection> found,
            state_->catalogue.find(tenant, collection));
  std::vector<Alias> aliases = state_->catalogue.aliases(tenant);
  std::erase_if(aliases,
                [&found](const Alias& each) { return each.collection != found->record.name; });
  return aliases;
}

}  // namespace quipu
