#include "storage/batch_store.hpp"

#include <fstream>

#include <catch2/catch.hpp>

#include "tests/storage/support.hpp"

using namespace monodon;
using namespace monodon::storage;
using namespace monodon::storage::test;
using dag::Round, dag::ValidatorIndex;

namespace {

/// Nothing is kept in memory: reads go to the disk.
BatchOptions without_cache(const std::filesystem::path& directory) {
    auto options = batch_options(directory);
    options.cache_bytes = 0;
    return options;
}

std::size_t directories(const std::filesystem::path& path) {
    const auto entries = std::filesystem::directory_iterator(path);
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace

TEST_CASE("a batch is found by its digest, from memory and from the disk, before and after a restart") {
    const TemporaryDirectory directory;
    const auto made = batch(ValidatorIndex{1}, 7, Round{5}, 100'000);
    for (const auto& options : {batch_options(directory.path()), without_cache(directory.path())}) {
        const auto store = open_batches(options);
        put_durably(*store, made);
        const SharedBytes found = store->get(made.entry.batch);
        REQUIRE(found);
        CHECK(*found == *made.bytes);
        CHECK(*store->get(made.entry.batch, made.entry.sealed_round) == *made.bytes);
        CHECK(store->entry(made.entry.batch, made.entry.sealed_round) == made.entry);
        CHECK(store->usage().cache_bytes == (options.cache_bytes > 0 ? made.bytes->size() : 0));
    }
    const auto store = open_batches(batch_options(directory.path()));
    CHECK(*store->get(made.entry.batch) == *made.bytes);
    CHECK(store->entry(made.entry.batch, made.entry.sealed_round) == made.entry);
    CHECK_FALSE(store->get(sha256(as_bytes("none"))));
    CHECK_FALSE(store->entry(sha256(as_bytes("none")), dag::Round{1}));
    CHECK(store->usage().damaged == 0);
}

TEST_CASE("a batch is not visible before it is durable") {
    const TemporaryDirectory directory;
    auto options = batch_options(directory.path());
    std::atomic<bool> full{false};
    options.environment.faults = [&](lmdb::DiskStep) { return full ? ENOSPC : 0; };
    const auto store = open_batches(options);
    put_durably(*store, batch(ValidatorIndex{0}, 1, Round{1}));
    full = true;
    const auto made = batch(ValidatorIndex{1}, 1, Round{1});
    Signal durable;
    REQUIRE(store->put(made.entry, made.bytes, Standing::named, [&] { durable.raise(); }));
    REQUIRE(eventually([&] { return store->stats().stalled.has_value(); }));
    CHECK_FALSE(store->entry(made.entry.batch, made.entry.sealed_round));
    CHECK_FALSE(store->get(made.entry.batch));
    full = false;
    REQUIRE(durable.wait());
    CHECK(store->entry(made.entry.batch, made.entry.sealed_round));
}

TEST_CASE("callbacks run in the order of the puts, also across generations and for known batches") {
    const TemporaryDirectory directory;
    auto options = batch_options(directory.path());
    options.ahead = 10'000;
    const auto store = open_batches(options);
    const auto known = batch(ValidatorIndex{3}, 1, Round{1});
    put_durably(*store, known);
    std::vector<int> order;
    Signal last;
    for (int at = 0; at < 60; ++at) {
        const auto made = at % 10 == 9 ? known
                                       : batch(ValidatorIndex{0}, std::uint64_t(at),
                                               Round{std::uint64_t(at % 3) * kGenerationRounds});
        REQUIRE(store->put(made.entry, made.bytes, Standing::named, [&order, &last, at] {
            order.push_back(at);
            if (at == 59) last.raise();
        }));
    }
    REQUIRE(last.wait());
    CHECK(order.size() == 60);
    CHECK(std::ranges::is_sorted(order));
    CHECK(store->usage().generations == 3);
}

TEST_CASE("the batches of an author are listed by worker and sequence, in parts") {
    const TemporaryDirectory directory;
    const auto store = open_batches(batch_options(directory.path()));
    std::vector<BatchStore::Listed> made;
    for (std::uint64_t sequence = 1; sequence <= 10; ++sequence) {
        const auto own = batch(ValidatorIndex{1}, sequence, Round{sequence});
        made.push_back({own.entry.worker, sequence, own.entry.batch});
        put_durably(*store, own);
        put_durably(*store, batch(ValidatorIndex{2}, sequence, Round{sequence}));
    }
    std::vector<BatchStore::Listed> listed;
    for (;;) {
        const auto after = listed.empty() ? std::nullopt : std::optional(listed.back());
        const auto part = store->by_author(dag::Epoch{0}, ValidatorIndex{1}, Round{1}, after, 4);
        if (part.empty()) break;
        listed.insert(listed.end(), part.begin(), part.end());
    }
    CHECK(listed == made);
    CHECK(store->by_author(dag::Epoch{0}, ValidatorIndex{3}, Round{1}, std::nullopt, 4).empty());
    CHECK(store->by_author(dag::Epoch{1}, ValidatorIndex{1}, Round{1}, std::nullopt, 4).empty());
}

TEST_CASE("a damaged row of the list by author hides no batch") {
    const TemporaryDirectory directory;
    {
        const auto store = open_batches(batch_options(directory.path()));
        for (std::uint64_t at = 1; at <= 3; ++at) put_durably(*store, batch(ValidatorIndex{1}, at, Round{1}));
        put_durably(*store, batch(ValidatorIndex{2}, 9, Round{1}));
    }
    damage_first_row(directory.path() / "g0", "batches_by_author");
    const auto store = open_batches(batch_options(directory.path()));
    const auto listed = store->by_author(four_members().epoch(), ValidatorIndex{1}, Round{1}, {}, 100);
    CHECK(listed.size() == 3);
    CHECK(store->usage().damaged == 1);
    const auto behind = store->by_author(four_members().epoch(), ValidatorIndex{1}, Round{1}, listed[0], 100);
    CHECK(behind.size() == 2);
}

TEST_CASE("a batch whose body does not verify is told of, one that is not there is not") {
    const TemporaryDirectory directory;
    const auto made = batch(ValidatorIndex{1}, 1, Round{1}, 10'000);
    put_durably(*open_batches(batch_options(directory.path())), made, Standing::named);
    damage_first_row(directory.path() / "g0", "batches", 5'000);
    BatchOptions options = batch_options(directory.path());
    std::vector<Digest> told;
    options.damaged = [&](const Digest& digest, Round) { told.push_back(digest); };
    const auto store = open_batches(options);
    CHECK_FALSE(store->get(sha256(as_bytes("unknown"))));
    CHECK(told.empty());
    CHECK_FALSE(store->get(made.entry.batch));
    CHECK(told == std::vector{made.entry.batch});
}

TEST_CASE("a damaged batch is not there, and can be stored again") {
    const TemporaryDirectory directory;
    const auto made = batch(ValidatorIndex{1}, 1, Round{5}, 10'000);
    put_durably(*open_batches(without_cache(directory.path())), made);
    damage_first_row(directory.path() / "g0", "batches", 5'000);
    {
        const auto store = open_batches(without_cache(directory.path()));
        CHECK_FALSE(store->get(made.entry.batch));
        CHECK(store->usage().damaged == 1);
        put_durably(*store, made);
        CHECK(*store->get(made.entry.batch) == *made.bytes);
    }
    damage_first_row(directory.path() / "g0", "batches", 10);
    const auto store = open_batches(without_cache(directory.path()));
    CHECK_FALSE(store->entry(made.entry.batch, made.entry.sealed_round));
    CHECK_FALSE(store->get(made.entry.batch));
}

TEST_CASE("batches sealed too far ahead or too long ago are refused") {
    const TemporaryDirectory directory;
    auto options = batch_options(directory.path());
    options.life = 2000;
    const auto store = open_batches(options);
    const auto put = [&](std::uint64_t round, Standing standing) -> std::optional<PutError> {
        const auto made = batch(ValidatorIndex{1}, round, Round{round});
        const auto result = store->put(made.entry, made.bytes, standing, {});
        if (result) return std::nullopt;
        return result.error();
    };
    CHECK(put(128, Standing::offered) == std::nullopt);
    CHECK(put(129, Standing::offered) == PutError::too_far_ahead);
    CHECK(put(129, Standing::named) == PutError::too_far_ahead);
    CHECK(put(~std::uint64_t{0}, Standing::named) == PutError::too_far_ahead);
    store->set_highest_round(Round{5000});
    store->set_highest_round(Round{4000});
    CHECK(put(5128, Standing::offered) == std::nullopt);
    CHECK(put(5129, Standing::offered) == PutError::too_far_ahead);
    CHECK(put(3000, Standing::offered) == std::nullopt);
    CHECK(put(2999, Standing::offered) == PutError::too_old);
    // A certificate can name what cannot be executed any more; it is served with it.
    CHECK(put(2999, Standing::named) == std::nullopt);
    store->prune(Round{5000});
    CHECK(put(2048, Standing::named) == std::nullopt);
    CHECK(put(2047, Standing::named) == PutError::too_old);
}

TEST_CASE("what an author's unordered batches may take is limited, until they are ordered or expire") {
    const TemporaryDirectory directory;
    auto options = batch_options(directory.path());
    options.unreferenced_bytes_max = 10 * 4096;
    options.life = 2000;
    const auto store = open_batches(options);
    std::vector<dag::PayloadEntry> entries;
    std::uint64_t sequence = 0;
    const auto offer = [&](std::uint16_t author, std::uint64_t round = 1) {
        const auto made = batch(ValidatorIndex{author}, ++sequence, Round{round});
        const auto result = store->put(made.entry, made.bytes, Standing::offered, {});
        if (result) entries.push_back(made.entry);
        return result.has_value();
    };
    // Small batches count as pages, or a million of them would fit.
    for (int at = 0; at < 10; ++at) CHECK(offer(1));
    CHECK_FALSE(offer(1));
    CHECK(offer(2));
    const auto named = batch(ValidatorIndex{1}, ++sequence, Round{1});
    CHECK(store->put(named.entry, named.bytes, Standing::named, {}));
    CHECK(store->usage().unreferenced_bytes == 10 * 4096);

    store->referenced(std::span(entries).first(3));
    store->referenced(std::span(entries).first(3));
    for (int at = 0; at < 3; ++at) CHECK(offer(1));
    CHECK_FALSE(offer(1));

    // The same batch twice counts once, and not at all if it is stored already.
    store->referenced(entries);
    CHECK(store->usage().unreferenced_bytes == 0);
    const auto again = batch(ValidatorIndex{1}, 1, Round{1});
    Signal durable;
    for (int at = 0; at < 3; ++at) {
        REQUIRE(store->put(again.entry, again.bytes, Standing::offered, [&] { durable.raise(); }));
    }
    REQUIRE(durable.wait(3));
    CHECK(store->usage().unreferenced_bytes == 0);

    for (int at = 0; at < 10; ++at) CHECK(offer(1));
    CHECK_FALSE(offer(1));
    store->set_highest_round(Round{3000});
    CHECK(offer(1, 3000));
}

TEST_CASE("a queue that is full refuses, and charges nothing") {
    const TemporaryDirectory directory;
    auto options = batch_options(directory.path());
    options.queue_bytes_max = 50'000;
    std::atomic<bool> full{true};
    options.environment.faults = [&](lmdb::DiskStep step) {
        return full && step == lmdb::DiskStep::reserve ? ENOSPC : 0;
    };
    const auto store = open_batches(options);
    Signal durable;
    std::uint64_t accepted = 0;
    std::optional<PutError> refused;
    while (!refused && accepted < 100) {
        const auto made = batch(ValidatorIndex{1}, accepted, Round{1}, 10'000);
        const auto result = store->put(made.entry, made.bytes, Standing::offered, [&] { durable.raise(); });
        if (result) {
            ++accepted;
        } else {
            refused = result.error();
        }
    }
    CHECK(refused == PutError::busy);
    CHECK(accepted == 4);
    CHECK(store->usage().unreferenced_bytes == 4 * 3 * 4096);
    full = false;
    CHECK(durable.wait(4));
}

TEST_CASE("a generation that is full takes no more that is offered, and stops nobody") {
    const TemporaryDirectory directory;
    auto options = batch_options(directory.path());
    options.environment.map_size = std::size_t{1} << 20;
    options.environment.map_limit = std::size_t{2} << 20;
    const auto store = open_batches(options);
    store->set_highest_round(Round{kGenerationRounds - 10});
    const Round last{kGenerationRounds - 1};
    std::uint64_t sequence = 0;
    std::optional<PutError> refused;
    while (!refused && sequence < 100) {
        const auto made = batch(ValidatorIndex{1}, ++sequence, last, 100'000);
        Signal durable;
        const auto result = store->put(made.entry, made.bytes, Standing::offered, [&] { durable.raise(); });
        if (!result) refused = result.error();
        if (result) REQUIRE(durable.wait());
    }
    CHECK(refused == PutError::busy);
    CHECK(sequence > 10);
    CHECK(store->usage().newest_bytes >= options.environment.map_limit);
    CHECK(store->usage().unreferenced_bytes < sequence * 110'000);
    // What a certificate names is needed for execution, and must not stand in the way of what follows.
    for (std::uint64_t at = 1; at <= 30; ++at)
        put_durably(*store, batch(ValidatorIndex{2}, at, last, 100'000));
    const auto named = batch(ValidatorIndex{2}, 30, last, 100'000);
    CHECK(store->usage().newest_bytes > 2 * options.environment.map_limit);
    put_durably(*store, batch(ValidatorIndex{1}, 200, Round{kGenerationRounds}), Standing::offered);
    CHECK_FALSE(store->stats().stalled);
    CHECK(store->get(named.entry.batch));
    store->set_highest_round(Round{kGenerationRounds});
    CHECK(store->usage().newest_bytes < options.environment.map_limit);
}

TEST_CASE("a group that waits for room in its second generation stays charged for its first") {
    const TemporaryDirectory directory;
    auto options = batch_options(directory.path());
    options.ahead = 10 * kGenerationRounds;
    std::atomic<bool> full{false};
    std::atomic<bool> nothing_new{false};
    options.environment.faults = [&](lmdb::DiskStep step) {
        return full || (nothing_new && step == lmdb::DiskStep::make) ? ENOSPC : 0;
    };
    const auto store = open_batches(options);
    put_durably(*store, batch(ValidatorIndex{0}, 1, Round{1}));
    full = true;
    Signal durable;
    const auto put = [&](const SealedBatch& made, Standing standing) {
        REQUIRE(store->put(made.entry, made.bytes, standing, [&] { durable.raise(); }));
    };
    put(batch(ValidatorIndex{0}, 2, Round{1}), Standing::named);
    REQUIRE(eventually([&] { return store->stats().stalled.has_value(); }));
    // These two wait together, and are one group then.
    put(batch(ValidatorIndex{1}, 1, Round{1}, 10'000), Standing::offered);
    put(batch(ValidatorIndex{1}, 2, Round{kGenerationRounds}, 10'000), Standing::offered);
    nothing_new = true;
    full = false;
    REQUIRE(durable.wait());
    const std::uint64_t errors = store->stats().errors;
    REQUIRE(eventually([&] { return store->stats().errors > errors + 2; }));
    nothing_new = false;
    REQUIRE(durable.wait(3));
    CHECK(store->usage().unreferenced_bytes == 2 * 3 * 4096);
}

TEST_CASE("an error of the disk is fatal for batches too") {
    const TemporaryDirectory directory;
    auto options = batch_options(directory.path());
    Signal fatal;
    std::atomic<bool> broken{false};
    options.environment.faults = [&](lmdb::DiskStep step) {
        return broken && step == lmdb::DiskStep::commit ? EIO : 0;
    };
    options.fatal = [&](const std::string&) { fatal.raise(); };
    const auto store = open_batches(options);
    put_durably(*store, batch(ValidatorIndex{1}, 1, Round{1}));
    broken = true;
    const auto made = batch(ValidatorIndex{1}, 2, Round{1});
    bool durable = false;
    REQUIRE(store->put(made.entry, made.bytes, Standing::named, [&] { durable = true; }));
    REQUIRE(fatal.wait());
    CHECK_FALSE(durable);
    CHECK(store->stats().stopped);
}

TEST_CASE("generations leave as whole directories, and the disk stays bounded over many rounds") {
    const TemporaryDirectory directory;
    auto options = without_cache(directory.path());
    options.life = 2048;
    options.open_generations = 2;
    std::uint64_t most = 0;
    {
        const auto store = open_batches(options);
        for (std::uint64_t round = 1; round <= 40'000; round += 128) {
            store->set_highest_round(Round{round});
            put_durably(*store, batch(ValidatorIndex{1}, round, Round{round}, 20'000));
            store->prune(dag::below(Round{round}, 1000));
            most = std::max(most, store->usage().disk_bytes);
            CHECK(store->usage().open_generations <= 2);
        }
        // 3,048 rounds and the part of a generation below them.
        CHECK(store->usage().generations == 4);
        CHECK(directories(directory.path()) == 4);
        // Of each generation 160 kB, and what is preallocated.
        CHECK(most < 5 * (std::uint64_t{3} << 20));
        const auto old = batch(ValidatorIndex{1}, 1, Round{1}, 20'000);
        CHECK_FALSE(store->get(old.entry.batch, Round{1}));
        const auto kept = batch(ValidatorIndex{1}, 38'913, Round{38'913}, 20'000);
        CHECK(store->get(kept.entry.batch, Round{38'913}));
    }
    CHECK(open_batches(options)->usage().generations == 4);
}

TEST_CASE("a file takes what is in it: reserved room is in proportion, and goes back") {
    TemporaryDirectory directory;
    const auto size = [&](std::uint64_t generation) {
        return std::filesystem::file_size(directory.path() / ("g" + std::to_string(generation)) / "data.mdb");
    };
    BatchOptions options = batch_options(directory.path());
    constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;
    {
        const auto store = open_batches(options);
        // Many small ones in as few transactions as come about, and none of them takes 32 KiB.
        for (std::uint64_t at = 1; at < 2000; ++at) {
            const auto each = batch(ValidatorIndex{1}, at, Round{1}, 20 + at % 100);
            REQUIRE(store->put(each.entry, each.bytes, Standing::named, {}));
        }
        put_durably(*store, batch(ValidatorIndex{1}, 2000, Round{1}));
        CHECK(size(0) < 8 * kMegabyte);
        for (std::uint64_t generation = 1; generation < 4; ++generation) {
            const Round round{generation * 1024};
            store->set_highest_round(round);
            put_durably(*store, batch(ValidatorIndex{1}, generation, round));
        }
        CHECK(size(0) < 2 * kMegabyte);
        CHECK(size(1) < kMegabyte / 4);
        // The newest two keep it: more is to come.
        CHECK(size(2) >= kMegabyte);
        CHECK(size(3) >= kMegabyte);
        // Also one that comes late.
        put_durably(*store, batch(ValidatorIndex{1}, 9, Round{1024}));
        CHECK(size(1) < kMegabyte / 4);
    }
    const auto store = open_batches(options);
    for (std::uint64_t generation = 0; generation < 4; ++generation) CHECK(size(generation) < 2 * kMegabyte);
    CHECK(size(3) < kMegabyte / 4);
    const auto late = batch(ValidatorIndex{1}, 9, Round{1024});
    CHECK(store->get(late.entry.batch, Round{1024}));
}

TEST_CASE("a generation that is no store is found at the start, and what to do is said") {
    const TemporaryDirectory directory;
    const BatchOptions options = batch_options(directory.path());
    const auto kept = batch(ValidatorIndex{1}, 1, Round{1024});
    {
        const auto store = open_batches(options);
        store->set_highest_round(Round{1024});
        put_durably(*store, batch(ValidatorIndex{1}, 1, Round{1}));
        put_durably(*store, kept);
    }
    const auto generation = directory.path() / "g0";
    const auto check_refused = [&] {
        const auto opened = BatchStore::open(options);
        REQUIRE_FALSE(opened);
        CHECK(opened.error().error == StoreError::damaged);
        CHECK_THAT(opened.error().text, Catch::Contains("move " + generation.string() + " away"));
    };
    std::filesystem::resize_file(generation / "data.mdb", 3 * 4096);
    check_refused();
    std::filesystem::resize_file(generation / "data.mdb", 0);
    check_refused();
    std::ofstream(generation / "data.mdb") << std::string(20'000, 'x');
    check_refused();
    std::filesystem::remove_all(generation);
    std::ofstream(generation) << "a file";
    check_refused();
    std::filesystem::remove(generation);
    // Names that are no generation are nobody's business; one without a file is a crash while it was made.
    std::ofstream(directory.path() / "g5x") << "garbage";
    std::filesystem::create_directory(directory.path() / "g99999999999999999999");
    std::filesystem::create_directory(directory.path() / "g2");
    const auto store = open_batches(options);
    CHECK(store->get(kept.entry.batch, Round{1024}));
    store->set_highest_round(Round{2048});
    put_durably(*store, batch(ValidatorIndex{1}, 2, Round{2048}));
    put_durably(*store, batch(ValidatorIndex{1}, 3, Round{1}));
}

TEST_CASE("no single bit of the number of the last page lets a start cut off what is stored") {
    const TemporaryDirectory directory;
    std::vector<SealedBatch> made;
    {
        const auto store = open_batches(batch_options(directory.path()));
        for (std::uint64_t at = 1; at <= 20; ++at) {
            made.push_back(batch(ValidatorIndex{1}, at, Round{1}, 10'000));
            put_durably(*store, made.back());
        }
    }
    const auto data = directory.path() / "g0" / "data.mdb";
    const TemporaryDirectory keep;
    std::filesystem::copy_file(data, keep.path() / "whole");
    const auto number_at = [&](std::uint64_t offset) {
        std::ifstream file(data, std::ios::binary);
        file.seekg(static_cast<std::streamoff>(offset));
        std::uint64_t number = 0;
        file.read(reinterpret_cast<char*>(&number), sizeof number);
        REQUIRE(file);
        return number;
    };
    // Behind the header of the page: the last page at 120, the transaction at 128.
    const std::uint64_t newest = number_at(16 + 128) > number_at(4096 + 16 + 128) ? 0 : 4096;
    const std::uint64_t last_page = number_at(newest + 16 + 120);
    int refused = 0;
    for (unsigned bit = 0; bit < 64; ++bit) {
        std::filesystem::copy_file(keep.path() / "whole", data,
                                   std::filesystem::copy_options::overwrite_existing);
        {
            const std::uint64_t wrong = last_page ^ (std::uint64_t{1} << bit);
            std::fstream file(data, std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(static_cast<std::streamoff>(newest + 16 + 120));
            file.write(reinterpret_cast<const char*>(&wrong), sizeof wrong);
        }
        INFO("bit " << bit << " of " << last_page);
        const auto size = std::filesystem::file_size(data);
        const auto opened = BatchStore::open(without_cache(directory.path()));
        if (!opened) {
            ++refused;
            CHECK(opened.error().error == StoreError::damaged);
            CHECK(std::filesystem::file_size(data) == size);
            continue;
        }
        for (const SealedBatch& each : made) CHECK((*opened)->get(each.entry.batch, Round{1}) != nullptr);
    }
    // All that make it smaller, and all that make it larger than any file.
    CHECK(refused >= 40);
}

TEST_CASE("a removal that a crash cut short is finished at the next start") {
    const TemporaryDirectory directory;
    put_durably(*open_batches(batch_options(directory.path())), batch(ValidatorIndex{1}, 1, Round{1}));
    std::filesystem::rename(directory.path() / "g0", directory.path() / "g0.removed");
    // A crash between the directory and its file.
    std::filesystem::create_directory(directory.path() / "g1");
    const auto store = open_batches(batch_options(directory.path()));
    CHECK_FALSE(std::filesystem::exists(directory.path() / "g0.removed"));
    CHECK_FALSE(store->entry(sha256(as_bytes("none")), dag::Round{1}));
    const auto made = batch(ValidatorIndex{1}, 1, Round{1100});
    store->set_highest_round(Round{1100});
    put_durably(*store, made);
    CHECK(store->get(made.entry.batch));
}

TEST_CASE("without a hint the newest generations are searched, with one its own") {
    const TemporaryDirectory directory;
    auto options = without_cache(directory.path());
    options.searched_generations = 2;
    options.ahead = 100'000;
    const auto store = open_batches(options);
    std::vector<SealedBatch> made;
    for (std::uint64_t generation = 0; generation < 4; ++generation) {
        made.push_back(batch(ValidatorIndex{0}, generation, Round{generation * kGenerationRounds}));
        put_durably(*store, made.back());
    }
    CHECK_FALSE(store->get(made[1].entry.batch));
    CHECK(store->get(made[1].entry.batch, made[1].entry.sealed_round));
    CHECK(store->get(made[2].entry.batch));
    CHECK(store->get(made[3].entry.batch));
}

TEST_CASE("the floor for an amount of disk keeps the newest generations that fit, one at least") {
    const TemporaryDirectory directory;
    auto options = batch_options(directory.path());
    options.ahead = 100'000;
    options.life = 100;
    const auto store = open_batches(options);
    CHECK(store->floor_for_bytes(0) == Round{0});
    for (std::uint64_t generation = 0; generation < 4; ++generation) {
        put_durably(*store, batch(ValidatorIndex{0}, generation, Round{generation * kGenerationRounds}));
    }
    const std::uint64_t all = store->usage().disk_bytes;
    CHECK(store->floor_for_bytes(all) == Round{0});
    const Round floor = store->floor_for_bytes(all - 1);
    CHECK(floor == Round{1023 + 100 + 1});
    store->prune(dag::below(floor, 1));
    CHECK(store->usage().generations == 4);
    store->prune(floor);
    CHECK(store->usage().generations == 3);
    store->prune(store->floor_for_bytes(0));
    CHECK(store->usage().generations == 1);
}
