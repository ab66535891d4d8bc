#include "tests/storage/support.hpp"

#include <csignal>
#include <cstdlib>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/tables/consensus_tables.hpp"

namespace monodon::storage::test {

SealedBatch batch(dag::ValidatorIndex author, std::uint64_t sequence, dag::Round sealed, std::size_t bytes) {
    dag::BatchBuilder builder;
    REQUIRE(builder.add(Bytes(bytes, static_cast<Byte>(sequence))));
    auto made =
        builder.seal(four_members(), {four_members().epoch(), author, dag::WorkerId{0}, sequence, sealed, 0});
    return {made.entry, std::move(made.bytes)};
}

ConsensusOptions consensus_options(const std::filesystem::path& directory) {
    ConsensusOptions options;
    options.environment.directory = directory;
    options.environment.create = true;
    options.environment.preallocate = std::size_t{1} << 20;
    options.retry_after = std::chrono::milliseconds(5);
    options.fatal = [](const std::string&) { std::abort(); };
    return options;
}

BatchOptions batch_options(const std::filesystem::path& directory) {
    BatchOptions options;
    options.environment.directory = directory;
    options.environment.preallocate = std::size_t{1} << 20;
    options.retry_after = std::chrono::milliseconds(5);
    options.fatal = [](const std::string&) { std::abort(); };
    return options;
}

std::unique_ptr<ConsensusStore> open_consensus(const ConsensusOptions& options) {
    auto store = ConsensusStore::open(options, four_members());
    if (!store) FAIL(store.error().text);
    return std::move(*store);
}

std::unique_ptr<BatchStore> open_batches(const BatchOptions& options) {
    auto store = BatchStore::open(options);
    if (!store) FAIL(store.error().text);
    return std::move(*store);
}

void flush(ConsensusStore& store) {
    Signal durable;
    store.write({}, [&] { durable.raise(); });
    REQUIRE(durable.wait());
}

void put_durably(BatchStore& store, const SealedBatch& batch, Standing standing) {
    Signal durable;
    REQUIRE(store.put(batch.entry, batch.bytes, standing, [&] { durable.raise(); }));
    REQUIRE(durable.wait());
}

void Signal::raise() {
    const std::lock_guard lock(mutex_);
    ++raised_;
    changed_.notify_all();
}

bool Signal::wait(std::size_t times) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return raised_ >= times; });
}

void set_schema(const std::filesystem::path& directory, std::uint32_t schema) {
    auto environment = lmdb::Environment::open({.directory = directory});
    REQUIRE(environment);
    const auto tables = ConsensusTables::open(**environment);
    REQUIRE(tables);
    const auto names = (*environment)->tables({BatchReferenceTable::kName});
    auto transaction = (*environment)->write();
    REQUIRE(transaction);
    auto identity = tables->metadata.identity(*transaction);
    REQUIRE(identity);
    (*identity)->schema = schema;
    REQUIRE(tables->metadata.put(*transaction, **identity));
    {
        auto cursor = transaction->cursor(names->front());
        while (cursor->first().value()) REQUIRE(cursor->erase());
    }
    REQUIRE(std::move(*transaction).commit());
}

void damage_first_row(const std::filesystem::path& directory, const char* table, std::size_t byte) {
    auto environment = lmdb::Environment::open({.directory = directory});
    REQUIRE(environment);
    const auto tables = (*environment)->tables({table});
    REQUIRE(tables);
    auto transaction = (*environment)->write();
    REQUIRE(transaction);
    Bytes key;
    Bytes value;
    {
        auto cursor = transaction->cursor(tables->front());
        REQUIRE(cursor);
        const auto row = cursor->first();
        REQUIRE(row);
        REQUIRE(row->has_value());
        key.assign((*row)->key.begin(), (*row)->key.end());
        value.assign((*row)->value.begin(), (*row)->value.end());
    }
    REQUIRE(byte < value.size());
    value[byte] ^= 1;
    REQUIRE(transaction->put(tables->front(), key, value));
    REQUIRE(std::move(*transaction).commit());
}

int signal_of(const std::function<void()>& body) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const int nowhere = ::open("/dev/null", O_WRONLY);
        ::dup2(nowhere, STDERR_FILENO);
        // Catch2 would report the abort that the parent waits for.
        std::signal(SIGABRT, SIG_DFL);
        body();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

}  // namespace monodon::storage::test
