#include "storage/lmdb/failure.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <lmdb.h>

namespace monodon::storage::lmdb {

namespace {

StoreError kind(int code) {
    switch (code) {
        case MDB_MAP_FULL:
            return StoreError::map_full;
        case ENOSPC:
        case EDQUOT:
            return StoreError::no_space;
        case MDB_INVALID:
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
            return StoreError::damaged;
        case MDB_VERSION_MISMATCH:
        case MDB_INCOMPATIBLE:
            return StoreError::incompatible;
        default:
            return StoreError::failed;
    }
}

}  // namespace

Unexpected<Failure> lmdb_failure(int code, std::string_view doing) {
    return fail(kind(code), fmt::format("{}: {}", doing, mdb_strerror(code)));
}

}  // namespace monodon::storage::lmdb
