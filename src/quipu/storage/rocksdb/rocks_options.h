// How each column family is tuned, and why; from the measurements of the design phase.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/options.h>

#include <memory>

#include "quipu/base/key_value.h"
#include "quipu/storage/rocksdb/rocks_store.h"

namespace quipu::storage {

[[nodiscard]] rocksdb::DBOptions database_options(const RocksStoreOptions& options,
                                                  rocksdb::Env* env);
[[nodiscard]] rocksdb::ColumnFamilyOptions family_options(
    Family family, const std::shared_ptr<rocksdb::Cache>& cache);
// Of the family that RocksDB always has; it holds one small record (see RocksStore).
[[nodiscard]] rocksdb::ColumnFamilyOptions default_family_options(
    const std::shared_ptr<rocksdb::Cache>& cache);

}  // namespace quipu::storage
