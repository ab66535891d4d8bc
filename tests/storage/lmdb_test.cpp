#include <csignal>
#include <fstream>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/lmdb/environment.hpp"
#include "storage/lmdb/pages.hpp"
#include "storage/record.hpp"
#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;

namespace {

struct Opened {
    std::unique_ptr<lmdb::Environment> environment;
    lmdb::Table table;
};

Opened open_environment(lmdb::EnvironmentOptions options) {
    options.create = true;
    auto environment = lmdb::Environment::open(std::move(options));
    REQUIRE(environment);
    const auto tables = (*environment)->tables({"rows"});
    REQUIRE(tables);
    return {std::move(*environment), tables->front()};
}

void put(const Opened& opened, std::string_view key, std::string_view value) {
    auto transaction = opened.environment->write();
    REQUIRE(transaction);
    REQUIRE(transaction->put(opened.table, as_bytes(key), as_bytes(value)));
    REQUIRE(std::move(*transaction).commit());
}

std::optional<std::string> get(const Opened& opened, std::string_view key) {
    const auto transaction = opened.environment->read();
    REQUIRE(transaction);
    const auto value = transaction->get(opened.table, as_bytes(key));
    REQUIRE(value);
    if (!*value) return std::nullopt;
    return std::string(as_text(**value));
}

}  // namespace

TEST_CASE("an environment that must exist is not made") {
    const TemporaryDirectory directory;
    const auto opened = lmdb::Environment::open({.directory = directory.path() / "none"});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().error == StoreError::missing);
    CHECK_FALSE(std::filesystem::exists(directory.path() / "none"));
}

TEST_CASE("a directory is opened once per process, by whatever path") {
    const TemporaryDirectory directory;
    {
        const auto first = open_environment({.directory = directory.path() / "e"});
        const auto second = lmdb::Environment::open({.directory = directory.path() / "." / "e"});
        REQUIRE_FALSE(second);
        CHECK(second.error().error == StoreError::in_use);
    }
    open_environment({.directory = directory.path() / "e"});
}

TEST_CASE("what was committed is there after opening again, what was not is not") {
    const TemporaryDirectory directory;
    {
        const auto opened = open_environment({.directory = directory.path()});
        put(opened, "kept", "1");
        auto transaction = opened.environment->write();
        REQUIRE(transaction);
        REQUIRE(transaction->put(opened.table, as_bytes("dropped"), as_bytes("2")));
    }
    const auto opened = open_environment({.directory = directory.path()});
    CHECK(get(opened, "kept") == "1");
    CHECK(get(opened, "dropped") == std::nullopt);
}

TEST_CASE("a cursor walks in the order of the keys and goes on after what it removed") {
    const TemporaryDirectory directory;
    const auto opened = open_environment({.directory = directory.path()});
    for (const char* key : {"b", "d", "a", "c"}) put(opened, key, key);
    auto transaction = opened.environment->write();
    REQUIRE(transaction);
    std::string seen;
    {
        auto cursor = transaction->cursor(opened.table);
        REQUIRE(cursor);
        auto row = cursor->at_or_after(as_bytes("aa"));
        for (; *row; row = cursor->next()) {
            seen += as_text((*row)->key);
            if (as_text((*row)->key) == "c") REQUIRE(cursor->erase());
        }
        CHECK(as_text((**cursor->last()).value) == "d");
        CHECK(as_text((**cursor->previous()).value) == "b");
    }
    CHECK(seen == "bcd");
    CHECK(*transaction->count(opened.table) == 3);
    CHECK(*transaction->erase(opened.table, as_bytes("a")));
    CHECK_FALSE(*transaction->erase(opened.table, as_bytes("a")));
}

TEST_CASE("the map grows while others read, and nothing is lost") {
    const TemporaryDirectory directory;
    const auto opened = open_environment({.directory = directory.path(), .map_size = 128 * 1024});
    put(opened, "first", "1");
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> reads{0};
    std::vector<std::thread> readers;
    for (int at = 0; at < 3; ++at) {
        readers.emplace_back([&] {
            while (!stop) {
                const auto transaction = opened.environment->read();
                if (!transaction) std::abort();
                const auto value = transaction->get(opened.table, as_bytes("first"));
                if (!value || !*value || as_text(**value) != "1") std::abort();
                ++reads;
            }
        });
    }
    const std::uint64_t map_before = opened.environment->stats().map_bytes;
    const Bytes value(100'000, 7);
    for (int at = 0; at < 40; ++at) {
        const std::string key = std::to_string(at);
        const auto written = lmdb::write_growing(*opened.environment, value.size(), [&](auto& transaction) {
            return transaction.put(opened.table, as_bytes(key), value);
        });
        REQUIRE(written);
    }
    CHECK(eventually([&] { return reads > 100; }));
    stop = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(opened.environment->stats().map_bytes > map_before);
    CHECK(get(opened, "39")->size() == value.size());
}

TEST_CASE("at the limit of the map there is no space, and the transaction leaves nothing") {
    const TemporaryDirectory directory;
    const auto opened =
        open_environment({.directory = directory.path(), .map_size = 64 * 1024, .map_limit = 256 * 1024});
    const auto written = lmdb::write_growing(*opened.environment, 0, [&](auto& transaction) {
        return transaction.put(opened.table, as_bytes("large"), Bytes(1'000'000, 1));
    });
    REQUIRE_FALSE(written);
    CHECK(written.error().error == StoreError::no_space);
    CHECK(get(opened, "large") == std::nullopt);
    put(opened, "small", "1");
}

TEST_CASE("room on the disk is taken before the transaction that needs it") {
    const TemporaryDirectory directory;
    constexpr std::size_t kMegabyte = std::size_t{1} << 20;
    const auto opened = open_environment({.directory = directory.path(), .preallocate = 4 * kMegabyte});
    REQUIRE(opened.environment->reserve(100));
    const auto before = opened.environment->stats();
    CHECK(before.file_bytes >= kMegabyte / 4);
    CHECK(before.used_bytes < kMegabyte / 8);
    put(opened, "row", std::string(100'000, 'x'));
    CHECK(opened.environment->stats().file_bytes == before.file_bytes);
    // In proportion to what is there, and given back when nothing more is to come.
    put(opened, "large", std::string(40 * kMegabyte, 'x'));
    REQUIRE(opened.environment->reserve(100));
    const auto after = opened.environment->stats();
    CHECK(after.file_bytes - after.used_bytes >= 2 * kMegabyte);
    CHECK(after.file_bytes - after.used_bytes <= 4 * kMegabyte);
    opened.environment->trim();
    CHECK(opened.environment->stats().file_bytes == after.used_bytes);
    CHECK(get(opened, "large") == std::string(40 * kMegabyte, 'x'));
    put(opened, "row", "again");
    CHECK(get(opened, "row") == "again");
}

TEST_CASE("an error of a commit is final, whatever it was; before it only the disk's own errors are") {
    const TemporaryDirectory directory;
    int error = 0;
    lmdb::DiskStep at = lmdb::DiskStep::commit;
    const auto opened = open_environment({.directory = directory.path(), .faults = [&](lmdb::DiskStep step) {
                                              return step == at ? error : 0;
                                          }});
    const auto attempt = [&](lmdb::DiskStep step, int code) {
        at = step;
        error = code;
        const auto written = lmdb::write_growing(*opened.environment, 0, [&](auto& transaction) {
            return transaction.put(opened.table, as_bytes("k"), as_bytes("v"));
        });
        error = 0;
        REQUIRE_FALSE(written);
        CHECK(get(opened, "k") == std::nullopt);
        return written.error().error;
    };
    CHECK(attempt(lmdb::DiskStep::reserve, ENOSPC) == StoreError::no_space);
    CHECK(attempt(lmdb::DiskStep::put, ENOSPC) == StoreError::no_space);
    CHECK(attempt(lmdb::DiskStep::put, EIO) == StoreError::failed);
    CHECK(attempt(lmdb::DiskStep::commit, EIO) == StoreError::failed);
    CHECK(attempt(lmdb::DiskStep::commit, ENOSPC) == StoreError::failed);
}

TEST_CASE("a record is found damaged by any bit, and under any other key") {
    const Bytes key{1, 2, 3};
    Bytes row{9, 8, 7, 6};
    row.resize(row.size() + kChecksumBytes);
    seal_record(key, row);
    REQUIRE(open_record(key, row));
    CHECK(to_hex(*open_record(key, row)) == "09080706");
    for (std::size_t bit = 0; bit < row.size() * 8; ++bit) {
        Bytes damaged = row;
        damaged[bit / 8] ^= static_cast<Byte>(1U << (bit % 8));
        CHECK_FALSE(open_record(key, damaged));
    }
    CHECK_FALSE(open_record(Bytes{1, 2, 4}, row));
    CHECK_FALSE(open_record(key, Bytes(kChecksumBytes - 1)));
}

TEST_CASE("a reader of another process is seen, and its slot is freed when it has died") {
    const TemporaryDirectory directory;
    put(open_environment({.directory = directory.path()}), "key", "before");
    int to_child[2] = {-1, -1};
    int to_parent[2] = {-1, -1};
    REQUIRE(::pipe(to_child) == 0);
    REQUIRE(::pipe(to_parent) == 0);
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const auto environment = lmdb::Environment::open({.directory = directory.path(), .read_only = true});
        if (!environment) ::_exit(1);
        const auto reading = (*environment)->read();
        if (!reading || ::write(to_parent[1], "x", 1) != 1) ::_exit(2);
        char byte = 0;
        (void)::read(to_child[0], &byte, 1);
        ::_exit(3);
    }
    char byte = 0;
    REQUIRE(::read(to_parent[0], &byte, 1) == 1);
    const auto opened = open_environment({.directory = directory.path()});
    for (int at = 0; at < 3; ++at) put(opened, "key", "after" + std::to_string(at));
    CHECK(opened.environment->oldest_reader_behind() >= 3);
    opened.environment->check_readers();
    CHECK(opened.environment->oldest_reader_behind() >= 3);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(opened.environment->oldest_reader_behind() >= 3);
    opened.environment->check_readers();
    CHECK(opened.environment->oldest_reader_behind() == 0);
    for (const int end : {to_child[0], to_child[1], to_parent[0], to_parent[1]}) ::close(end);
}

TEST_CASE("meta pages that a writer is about to change are read again") {
    const TemporaryDirectory directory;
    put(open_environment({.directory = directory.path()}), "key", "value");
    const auto data = directory.path() / "data.mdb";
    // The number of the transaction of the first meta page.
    const auto write_number = [&](std::uint64_t number) {
        std::fstream file(data, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(16 + 128);
        file.write(reinterpret_cast<const char*>(&number), sizeof number);
    };
    std::uint64_t number = 0;
    {
        std::ifstream file(data, std::ios::binary);
        file.seekg(16 + 128);
        file.read(reinterpret_cast<char*>(&number), sizeof number);
    }
    REQUIRE(lmdb::check_meta_pages(data));
    write_number(number + 20);
    CHECK_FALSE(lmdb::check_meta_pages(data));
    int accepted = 0;
    for (int attempt = 0; attempt < 20 && accepted == 0; ++attempt) {
        write_number(number + 20);
        std::thread writer([&] {
            monodon::test::dawdle(std::chrono::milliseconds(8));
            write_number(number);
        });
        accepted += lmdb::check_meta_pages(data) ? 1 : 0;
        writer.join();
    }
    CHECK(accepted > 0);
}

TEST_CASE("a file that was cut off is refused where something is missing, and made whole where nothing is") {
    const TemporaryDirectory directory;
    const auto data = directory.path() / "data.mdb";
    std::uint64_t small = 0;
    {
        const auto opened = open_environment({.directory = directory.path(), .create = true});
        put(opened, "kept", "value");
        small = opened.environment->stats().used_bytes;
        put(opened, "large", std::string(2'000'000, 'x'));
        auto transaction = opened.environment->write();
        REQUIRE(transaction->erase(opened.table, as_bytes("large")));
        REQUIRE(std::move(*transaction).commit());
        // What is alive moves into the free pages, the first of them first.
        for (int turn = 0; turn < 8; ++turn) put(opened, "kept", "value");
    }
    const auto open = [&] { return lmdb::Environment::open({.directory = directory.path()}); };
    // What lies at the end is free.
    std::filesystem::resize_file(data, small + 1'000'000);
    {
        const auto opened = open_environment({.directory = directory.path()});
        CHECK(std::filesystem::file_size(data) >= opened.environment->stats().used_bytes);
        CHECK(get(opened, "kept") == "value");
        put(opened, "large", std::string(2'000'000, 'y'));
        CHECK(get(opened, "large") == std::string(2'000'000, 'y'));
    }
    REQUIRE(open());
    std::filesystem::resize_file(data, small + 1'000'000);
    const auto refused = open();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().error == StoreError::damaged);
    CHECK_THAT(refused.error().text, Catch::Contains("cut off"));
}
