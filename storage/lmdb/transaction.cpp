#include "storage/lmdb/transaction.hpp"

#include <utility>

#include <fmt/format.h>
#include <lmdb.h>

#include "net/core/check.hpp"
#include "storage/lmdb/environment.hpp"
#include "storage/lmdb/failure.hpp"

namespace monodon::storage::lmdb {

namespace {

/// LMDB takes its arguments by pointers to non-const and does not write through them.
MDB_val to_value(ByteView bytes) { return {bytes.size(), const_cast<Byte*>(bytes.data())}; }

ByteView to_view(const MDB_val& value) { return {static_cast<const Byte*>(value.mv_data), value.mv_size}; }

}  // namespace

// ---- cursor
// -------------------------------------------------------------------------------------------------

Cursor::Cursor(Cursor&& other) noexcept : cursor_(std::exchange(other.cursor_, nullptr)) {}

Cursor::~Cursor() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

Result<std::optional<Row>> Cursor::move(unsigned operation, ByteView from) {
    MDB_val key = to_value(from);
    MDB_val value{};
    const int code = mdb_cursor_get(cursor_, &key, &value, static_cast<MDB_cursor_op>(operation));
    if (code == MDB_NOTFOUND) return std::optional<Row>();
    if (code != MDB_SUCCESS) return lmdb_failure(code, "cannot read a row");
    return std::optional<Row>(Row{to_view(key), to_view(value)});
}

Result<std::optional<Row>> Cursor::first() { return move(MDB_FIRST, {}); }
Result<std::optional<Row>> Cursor::last() { return move(MDB_LAST, {}); }
Result<std::optional<Row>> Cursor::at_or_after(ByteView key) { return move(MDB_SET_RANGE, key); }
Result<std::optional<Row>> Cursor::next() { return move(MDB_NEXT, {}); }
Result<std::optional<Row>> Cursor::previous() { return move(MDB_PREV, {}); }

Result<void> Cursor::erase() {
    const int code = mdb_cursor_del(cursor_, 0);
    if (code != MDB_SUCCESS) return lmdb_failure(code, "cannot remove a row");
    return {};
}

// ---- transactions
// -------------------------------------------------------------------------------------------

Transaction::Transaction(Transaction&& other) noexcept
    : environment_(other.environment_), txn_(std::exchange(other.txn_, nullptr)), entry_(other.entry_) {}

Transaction::~Transaction() { close(); }

void Transaction::close() {
    if (txn_ == nullptr) return;
    mdb_txn_abort(std::exchange(txn_, nullptr));
    environment_->leave(entry_);
}

Result<std::optional<ByteView>> Transaction::get(Table table, ByteView key) const {
    MDB_val wanted = to_value(key);
    MDB_val value{};
    const int code = mdb_get(txn_, table.handle, &wanted, &value);
    if (code == MDB_NOTFOUND) return std::optional<ByteView>();
    if (code != MDB_SUCCESS) return lmdb_failure(code, "cannot read a row");
    return std::optional<ByteView>(to_view(value));
}

Result<Cursor> Transaction::cursor(Table table) const {
    MDB_cursor* cursor = nullptr;
    const int code = mdb_cursor_open(txn_, table.handle, &cursor);
    if (code != MDB_SUCCESS) return lmdb_failure(code, "cannot open a cursor");
    return Cursor(cursor);
}

Result<std::size_t> Transaction::count(Table table) const {
    MDB_stat status{};
    const int code = mdb_stat(txn_, table.handle, &status);
    if (code != MDB_SUCCESS) return lmdb_failure(code, "cannot count rows");
    return std::size_t{status.ms_entries};
}

Result<std::uint64_t> Transaction::page_bytes(Table table) const {
    MDB_stat status{};
    const int code = mdb_stat(txn_, table.handle, &status);
    if (code != MDB_SUCCESS) return lmdb_failure(code, "cannot measure a table");
    return std::uint64_t{status.ms_psize} *
           (status.ms_branch_pages + status.ms_leaf_pages + status.ms_overflow_pages);
}

Result<void> WriteTransaction::put(Table table, ByteView key, ByteView value) {
    auto room = reserve(table, key, value.size());
    if (!room) return Unexpected{room.error()};
    std::copy(value.begin(), value.end(), room->begin());
    return {};
}

Result<std::span<Byte>> WriteTransaction::reserve(Table table, ByteView key, std::size_t size) {
    MDB_val name = to_value(key);
    MDB_val value{size, nullptr};
    int code = environment_->fault(DiskStep::put);
    if (code == 0) code = mdb_put(txn_, table.handle, &name, &value, MDB_RESERVE);
    if (code != MDB_SUCCESS) {
        return lmdb_failure(code,
                            fmt::format("cannot write a row in {}", environment_->directory().string()));
    }
    return std::span<Byte>(static_cast<Byte*>(value.mv_data), size);
}

Result<void> WriteTransaction::append(Table table, ByteView key, ByteView value) {
    MDB_val name = to_value(key);
    MDB_val data = to_value(value);
    int code = environment_->fault(DiskStep::put);
    if (code == 0) code = mdb_put(txn_, table.handle, &name, &data, MDB_APPEND);
    if (code == MDB_SUCCESS) return {};
    return lmdb_failure(code, fmt::format("cannot write a row in {}", environment_->directory().string()));
}

Result<bool> WriteTransaction::erase(Table table, ByteView key) {
    MDB_val name = to_value(key);
    const int code = mdb_del(txn_, table.handle, &name, nullptr);
    if (code == MDB_NOTFOUND) return false;
    if (code != MDB_SUCCESS) return lmdb_failure(code, "cannot remove a row");
    return true;
}

Result<void> WriteTransaction::commit() && {
    MONODON_CHECK(txn_ != nullptr);
    int code = environment_->fault(DiskStep::commit);
    if (code != 0) {
        mdb_txn_abort(std::exchange(txn_, nullptr));
    } else {
        code = mdb_txn_commit(std::exchange(txn_, nullptr));
    }
    environment_->leave(entry_);
    if (code == MDB_SUCCESS) return {};
    const auto doing = fmt::format("cannot commit in {}", environment_->directory().string());
    auto failure = lmdb_failure(code, doing);
    // LMDB finds a full map before it writes. Of anything else it does not say whether a sync had been
    // issued.
    if (failure.error().error == StoreError::map_full) return failure;
    return fail(StoreError::failed, failure.error().text);
}

}  // namespace monodon::storage::lmdb
