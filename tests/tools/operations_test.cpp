#include "tools/operations.hpp"

#include <filesystem>
#include <fstream>
#include <set>

#include <catch2/catch.hpp>

#include "node/kv_format.hpp"
#include "tests/temporary_directory.hpp"
#include "tools/bench.hpp"
#include "tools/machine_limits.hpp"
#include "tools/transaction_maker.hpp"
#include "tools/transactions.hpp"

namespace monodon::tools {

namespace {

/// The operation that a line stands for, with its texts.
struct Read {
    node::KvOp op;
    std::string key;
    std::string value;
    std::optional<std::string> expected;
};

Read read(const std::string& line) {
    const auto transaction = parse_operation(line);
    INFO(line << (transaction ? "" : ": " + transaction.error()));
    REQUIRE(transaction);
    const auto operation = node::parse_kv(*transaction);
    REQUIRE(operation);
    Read out{operation->op, std::string(as_text(operation->key)), std::string(as_text(operation->value)), {}};
    if (operation->expected) out.expected = std::string(as_text(*operation->expected));
    return out;
}

std::string error_of(const std::string& line) {
    const auto transaction = parse_operation(line);
    return transaction ? "accepted" : transaction.error();
}

}  // namespace

TEST_CASE("lines of operations become transactions of the key-value store") {
    const Read put = read(R"({"op":"put","key":"libc6:amd64","value":"2.36-9\n"})");
    CHECK(put.op == node::KvOp::put);
    CHECK(put.key == "libc6:amd64");
    CHECK(put.value == "2.36-9\n");
    CHECK(read(R"({"op":"delete","key":"k"})").op == node::KvOp::erase);
    CHECK(read(R"({"op":"get","key":"k"})").op == node::KvOp::get);
    const Read cas = read(R"({"op":"cas","key":"k","expected":"old","value":"new"})");
    CHECK(cas.expected == "old");
    CHECK(cas.value == "new");
    CHECK_FALSE(read(R"({"op":"cas","key":"k","value":"new"})").expected);
    CHECK(read(R"({"op":"put","key_hex":"00ff","value_hex":""})").key == std::string("\0\xff", 2));
    const auto raw = parse_operation(R"({"op":"raw","hex":"00FF10"})");
    REQUIRE(raw);
    CHECK(*raw == Bytes{0x00, 0xff, 0x10});
}

TEST_CASE("an operation that is asked for twice is two transactions, unless it says its nonce") {
    const std::string line = R"({"op":"put","key":"k","value":"v")";
    CHECK(*parse_operation(line + "}") != *parse_operation(line + "}"));
    const std::string same = line + R"(,"nonce_hex":"000102030405060708090a0b0c0d0e0f"})";
    REQUIRE(parse_operation(same));
    CHECK(*parse_operation(same) == *parse_operation(same));
    CHECK(node::parse_kv(*parse_operation(same))->nonce[15] == 15);
    CHECK(error_of(line + R"(,"nonce_hex":"00"})").find("16 bytes") != std::string::npos);
    CHECK(error_of(R"({"op":"raw","hex":"00","nonce_hex":"00"})").find("nonce_hex") != std::string::npos);
}

TEST_CASE("a line that is no operation says what is wrong with it") {
    CHECK(error_of("") != "accepted");
    CHECK(error_of("[]") != "accepted");
    CHECK(error_of(R"({"op":"put","key":"k"})").find("value") != std::string::npos);
    CHECK(error_of(R"({"op":"put","value":"v"})").find("key") != std::string::npos);
    CHECK(error_of(R"({"op":"put","key":"","value":"v"})").find("1 to 1024") != std::string::npos);
    CHECK(error_of(R"({"op":"put","key":"k","key_hex":"00","value":"v"})").find("exclude") !=
          std::string::npos);
    CHECK(error_of(R"({"op":"put","key":"k","key":"l","value":"v"})").find("twice") != std::string::npos);
    CHECK(error_of(R"({"op":"put","key":"k","value":"v","ttl":1})").find("ttl") != std::string::npos);
    CHECK(error_of(R"({"op":"put","key":7,"value":"v"})").find("text") != std::string::npos);
    CHECK(error_of(R"({"op":"move","key":"k"})").find("op must be") != std::string::npos);
    CHECK(error_of(R"({"op":"raw","hex":"0"})").find("hexadecimal") != std::string::npos);
    CHECK(error_of(R"({"op":"raw","hex":""})").find("one byte") != std::string::npos);
    CHECK(error_of(R"({"op":"put","key":")" + std::string(1025, 'k') + R"(","value":"v"})") != "accepted");
}

TEST_CASE("an operation in words is the same transaction as its line") {
    const std::string nonce = R"(,"nonce_hex":"07000000000000000000000000000000"})";
    const auto put = operation_bytes({"put", "k", "v"}, {7});
    REQUIRE(put);
    CHECK(*put == *parse_operation(R"({"op":"put","key":"k","value":"v")" + nonce));
    const auto absent = operation_bytes({"cas", "k", "-", "v"}, {7});
    REQUIRE(absent);
    CHECK(*absent == *parse_operation(R"({"op":"cas","key":"k","value":"v")" + nonce));
    for (const auto& words :
         std::vector<std::vector<std::string>>{{}, {"put", "k"}, {"get", ""}, {"move", "k", "v"}}) {
        const auto refused = operation_bytes(words, {});
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == kExitUsage);
    }
}

TEST_CASE("transactions of a load all differ and have the size that was asked for") {
    for (const LoadKind kind : {LoadKind::opaque, LoadKind::put}) {
        std::set<Bytes> seen;
        for (const std::uint32_t lane : {0U, 1U}) {
            TransactionMaker maker(kind, 512, 0x1234, lane);
            for (int count = 0; count < 1000; ++count) seen.insert(maker.next());
        }
        CHECK(seen.size() == 2000);
        for (const Bytes& transaction : seen) REQUIRE(transaction.size() == 512);
        if (kind == LoadKind::put) CHECK(node::parse_kv(*seen.begin()).has_value());
        CHECK(node::is_kv(*seen.begin()) == (kind == LoadKind::put));
    }
}

TEST_CASE("a transaction of a load is as large as what makes it different needs") {
    TransactionMaker maker(LoadKind::put, 1, 7, 0);
    CHECK(maker.size() > 1);
    const auto operation = node::parse_kv(maker.next());
    REQUIRE(operation);
    CHECK(operation->value.empty());
}

TEST_CASE("the limits of the machine are measured") {
    CHECK(measure_memory_copy(std::chrono::milliseconds(20)) > 1e6);
    CHECK(measure_sha256(std::chrono::milliseconds(20)) > 1e6);
    const auto tls = measure_tls_stream(std::chrono::milliseconds(50));
    REQUIRE(tls);
    CHECK(*tls > 1e6);
}

TEST_CASE("a line that is too large for a transaction is told with its number, and the others stand") {
    const monodon::test::TemporaryDirectory directory_of_it;
    const std::string name = directory_of_it / "operations";
    const auto put = [](std::size_t bytes) {
        return R"({"op":"put","key":"k","value":")" + std::string(bytes, 'v') + "\"}\n";
    };
    std::ofstream(name) << put(1) << "\n" << put(256 * 1024) << put(1024 * 1024) << put(2);
    const auto file = read_operations(name);
    std::ofstream(name) << put(1) << "[]\n";
    const auto wrong = read_operations(name);

    REQUIRE(file);
    CHECK(file->operations.size() == 2);
    CHECK(file->lines == std::vector<std::uint64_t>{1, 5});
    REQUIRE(file->too_large.size() == 2);
    CHECK(file->too_large[0].starts_with(name + ":3: "));
    CHECK(file->too_large[1].starts_with(name + ":4: "));
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().message.starts_with(name + ":2: "));
    const auto directory = read_operations(std::filesystem::temp_directory_path().string());
    REQUIRE_FALSE(directory);
    CHECK(directory.error().message.find("directory") != std::string::npos);
}

TEST_CASE("a load fails by what it lost, not by what a busy committee refused") {
    BenchResult result;
    CHECK(failure_of(result));
    result.offered = 100;
    result.committed_in_window = 90;
    result.refused["busy"] = 10;
    result.unsent = 3;
    CHECK_FALSE(failure_of(result));
    result.lost["no answer in time"] = 2;
    result.refused["malformed"] = 1;
    CHECK(failure_of(result) == "of 100 transactions 2 lost (no answer in time), 1 refused (malformed)");
}

}  // namespace monodon::tools
