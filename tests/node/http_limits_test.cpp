#include <mutex>
#include <optional>

#include <catch2/catch.hpp>

#include "tests/node/http_support.hpp"
#include "tests/node/support.hpp"

namespace monodon::node::http_limits_test {
namespace {

using namespace std::chrono_literals;
using test::contains;
using test::echo;
using test::get;
using test::hello;
using test::kHello;
using test::RawConnection;
using test::Server;
using test::tcp;
using test::text_response;
using Clock = std::chrono::steady_clock;

constexpr auto kDeadline = 20s;

TEST_CASE("whoever drips a header or a body is cut off in time, and others are served meanwhile") {
    HttpServerConfig config = tcp({hello(), echo(1000)});
    config.limits.header = 300ms;
    config.limits.body = 300ms;
    Server server(std::move(config));
    for (const std::string& begin :
         {std::string("GET /hello HTTP/1.1\r\nHost: localhost\r\nA: "),
          std::string("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n")}) {
        RawConnection slow(server.port());
        const auto since = Clock::now();
        slow.send(begin);
        while (!slow.ended_within(20ms)) {
            slow.try_send("a");
            REQUIRE(Clock::now() - since < kDeadline);
        }
        CHECK(Clock::now() - since >= 300ms);
        RawConnection other(server.port());
        other.send(kHello);
        CHECK(contains(other.read_until("hello"), "200 OK"));
    }
}

TEST_CASE("a connection without a request is closed after its idle time") {
    HttpServerConfig config = tcp({hello()});
    config.limits.idle = 200ms;
    Server server(std::move(config));
    RawConnection silent(server.port());
    CHECK(silent.read_all().empty());
    RawConnection once(server.port());
    once.send(kHello);
    CHECK(contains(once.read_all(), "hello"));
}

TEST_CASE("a connection beyond the limit is turned away, and its place can be had again") {
    HttpServerConfig config = tcp({hello()});
    config.limits.connections = 2;
    config.limits.patience = 1h;
    Server server(std::move(config));
    auto first = std::make_unique<RawConnection>(server.port());
    RawConnection second(server.port());
    for (RawConnection* connection : {first.get(), &second}) {
        connection->send(kHello);
        connection->read_until("hello");
    }
    RawConnection third(server.port());
    const std::string reply = third.read_all();
    CHECK((reply.empty() || contains(reply, "503")));
    CHECK(server->counters().refused == 1);
    first.reset();
    REQUIRE(test::eventually([&] { return server->counters().connections == 1; }));
    RawConnection fourth(server.port());
    fourth.send(kHello);
    CHECK(contains(fourth.read_until("hello"), "200 OK"));
}

TEST_CASE("who holds a place without a request makes room for others, the longest first") {
    std::mutex mutex;
    std::optional<Respond> later;
    const Route waits = get("/waits", [&](const HttpRequest&, const Respond& respond) {
        const std::lock_guard lock(mutex);
        later = respond;
    });
    HttpServerConfig config = tcp({hello(), waits});
    config.limits.connections = 3;
    config.limits.patience = 100ms;
    Server server(std::move(config));
    RawConnection asks(server.port());
    asks.send("GET /waits HTTP/1.1\r\nHost: localhost\r\n\r\n");
    REQUIRE(test::eventually([&] { return std::lock_guard(mutex), later.has_value(); }));
    RawConnection drips(server.port());
    drips.send("GET /hello HTTP/1.1\r\nHost: localhost\r\nA: ");
    REQUIRE(test::eventually([&] { return server->counters().connections == 2; }));
    RawConnection silent(server.port());
    REQUIRE(test::eventually([&] { return server->counters().connections == 3; }));
    // While all have only just come, there is no room; then the first that came leaves.
    REQUIRE(test::eventually([&] {
        RawConnection other(server.port());
        other.try_send("GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        return contains(other.read_all(), "200 OK");
    }));
    CHECK(drips.ended_within(kDeadline));
    CHECK(!silent.ended_within(0ms));
    CHECK(server->counters().displaced == 1);
    // Who waits for an answer is left alone, however long it takes.
    (*later)(text_response("at last"));
    CHECK(contains(asks.read_until("at last"), "200 OK"));
}

}  // namespace
}  // namespace monodon::node::http_limits_test
