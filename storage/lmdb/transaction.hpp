#pragma once

#include <optional>
#include <span>

#include "net/core/bytes.hpp"
#include "storage/error.hpp"

struct MDB_cursor;
struct MDB_txn;

namespace monodon::storage::lmdb {

class Environment;

/// A named table of an environment; valid as long as the environment is open.
struct Table {
    unsigned handle = 0;
};

/// A row as it lies in the map. The views end with the transaction, and in a write transaction with the next
/// change.
struct Row {
    ByteView key;
    ByteView value;
};

/// Walks the rows of a table in the order of their keys, bytewise. Ends before its transaction.
class Cursor {
 public:
    Cursor(Cursor&& other) noexcept;
    Cursor& operator=(Cursor&&) = delete;
    ~Cursor();

    [[nodiscard]] Result<std::optional<Row>> first();
    [[nodiscard]] Result<std::optional<Row>> last();
    /// The first row whose key is not below this one.
    [[nodiscard]] Result<std::optional<Row>> at_or_after(ByteView key);
    [[nodiscard]] Result<std::optional<Row>> next();
    [[nodiscard]] Result<std::optional<Row>> previous();
    /// Removes the present row; next() goes on with the one after it. In write transactions only.
    [[nodiscard]] Result<void> erase();

 private:
    friend class Transaction;
    explicit Cursor(MDB_cursor* cursor) : cursor_(cursor) {}
    Result<std::optional<Row>> move(unsigned operation, ByteView from);

    MDB_cursor* cursor_ = nullptr;
};

/// What both kinds of transaction can do. Used by one thread; a thread has at most one transaction in an
/// environment at a time, or growing the map could wait for ever.
class Transaction {
 public:
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    /// Aborts what was not committed.
    ~Transaction();

    [[nodiscard]] Result<std::optional<ByteView>> get(Table table, ByteView key) const;
    [[nodiscard]] Result<Cursor> cursor(Table table) const;
    /// Number of rows.
    [[nodiscard]] Result<std::size_t> count(Table table) const;
    /// Bytes of the pages that a table takes.
    [[nodiscard]] Result<std::uint64_t> page_bytes(Table table) const;

 protected:
    /// `entry` is given back to the environment at the end.
    Transaction(const Environment& environment, MDB_txn* txn, std::uint64_t entry)
        : environment_(&environment), txn_(txn), entry_(entry) {}
    void close();

    const Environment* environment_;
    MDB_txn* txn_;
    std::uint64_t entry_;
};

/// A consistent picture of the environment. Short: open, copy, close; at most 100 ms, never across a send.
class ReadTransaction : public Transaction {
 private:
    friend class Environment;
    using Transaction::Transaction;
};

/// All or nothing. One at a time in an environment: others wait for it.
class WriteTransaction : public Transaction {
 public:
    /// Replaces what was there.
    [[nodiscard]] Result<void> put(Table table, ByteView key, ByteView value);
    /// Room for a value of this size, to be filled before the next call: saves one copy of large values. What
    /// was there is replaced.
    [[nodiscard]] Result<std::span<Byte>> reserve(Table table, ByteView key, std::size_t size);
    /// Puts a row behind all that are there, which fills the pages.
    [[nodiscard]] Result<void> append(Table table, ByteView key, ByteView value);
    /// False if there was no such row.
    [[nodiscard]] Result<bool> erase(Table table, ByteView key);
    /// Durable when it returns. Any error but map_full means that a sync may have failed: nothing more may be
    /// written to this environment, for a second fsync can succeed without having written anything.
    [[nodiscard]] Result<void> commit() &&;

 private:
    friend class Environment;
    using Transaction::Transaction;
};

}  // namespace monodon::storage::lmdb
