#include <future>
#include <numeric>

#include <catch2/catch.hpp>

#include "net/rpc/batch_window.hpp"
#include "tests/eventually.hpp"
#include "tests/net/network_fixture.hpp"

namespace messages_test {

using namespace monodon;
using namespace monodon::net;
using namespace monodon::net::test;

namespace {

constexpr Duration kLong = std::chrono::seconds(20);

Expected<SharedBytes, RpcFailure> ask(Node& from, Node& to, std::string_view text,
                                      Duration deadline = kLong) {
    Answer answer;
    from.network().request(to.id(), MessageClass::interactive, Method::get_batches, text_of(text), deadline,
                           answer.callback());
    return answer.get();
}

std::string client_address(const Committee& committee) {
    return "127.0.0.1:" + std::to_string(committee.ports[0]);
}

}  // namespace

TEST_CASE("notices arrive whole, in order, whatever their size") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    Bytes large(900'000);
    std::iota(large.begin(), large.end(), Byte{0});
    const auto shared = std::make_shared<const Bytes>(large);
    Network& sender = committee[0].network();
    const PeerId to = committee[1].id();
    for (int at = 0; at < 4; ++at) CHECK(sender.send(to, MessageClass::data, Method::batch, shared));
    CHECK(sender.send(to, MessageClass::data, Method::batch, text_of("")));
    for (int at = 0; at < 100; ++at) {
        CHECK(sender.send(to, MessageClass::consensus, Method::vote, text_of(std::to_string(at))));
    }
    REQUIRE(eventually([&] { return committee[1].notice_count() == 105; }));
    int next_vote = 0;
    int batches = 0;
    for (const Received& notice : committee[1].notices()) {
        CHECK(notice.peer == committee[0].id());
        if (notice.method == Method::vote) {
            CHECK(as_text(*notice.payload) == std::to_string(next_vote++));
        } else {
            CHECK(notice.payload->size() == (batches < 4 ? large.size() : 0));
            if (batches++ < 4) CHECK((*notice.payload == large));
        }
    }
}

TEST_CASE("a sender keeps to the window of batches, and goes on when they are let go of") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    Network& sender = committee[0].network();
    const PeerId to = committee[1].id();
    committee[1].hold_notices(true);
    const SharedBytes batch = bytes_of(500'000);
    std::size_t sent = 0;
    while (sent < 100 && sender.send(to, MessageClass::data, Method::batch, batch)) ++sent;
    CHECK(sent == kBatchWindow / batch->size());
    CHECK(committee[0].status_of(to).dropped_messages[3] == 1);
    REQUIRE(eventually([&] { return committee[1].notice_count() == sent; }));
    // All have arrived, and still there is no room.
    CHECK(!sender.send(to, MessageClass::data, Method::batch, batch));
    CHECK(sender.send(to, MessageClass::consensus, Method::vote, text_of("vote")));
    committee[1].hold_notices(false);
    std::size_t more = 0;
    CHECK(eventually([&] {
        if (sender.send(to, MessageClass::data, Method::batch, batch)) ++more;
        return more == 20;
    }));
    CHECK(eventually([&] { return committee[1].notice_count() == sent + 1 + more; }));
    CHECK(committee[0].status_of(to).connections == 1);
}

TEST_CASE("many requests are in flight and answered in any order") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    std::vector<Answer> answers(10);
    for (std::size_t at = 0; at < answers.size(); ++at) {
        committee[0].network().request(committee[1].id(), MessageClass::interactive, Method::get_batches,
                                       text_of(std::to_string(at)), kLong, answers[at].callback());
    }
    std::vector<Asked> asked;
    for (std::size_t at = 0; at < answers.size(); ++at) asked.push_back(committee[1].next_request());
    for (auto one = asked.rbegin(); one != asked.rend(); ++one) {
        CHECK(one->role == Role::member);
        CHECK(one->peer == committee[0].id());
        one->replier.finish(text_of("re " + std::string(as_text(*one->payload))));
    }
    for (std::size_t at = 0; at < answers.size(); ++at) {
        const auto reply = answers[at].get();
        REQUIRE(reply);
        CHECK(as_text(**reply) == "re " + std::to_string(at));
        CHECK(answers[at].calls() == 1);
    }
}

TEST_CASE("the window of sixteen interactive requests holds back the seventeenth, not other classes") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    std::vector<Answer> answers(20);
    Network& network = committee[0].network();
    for (Answer& answer : answers) {
        network.request(committee[1].id(), MessageClass::interactive, Method::get_batches, text_of("x"),
                        kLong, answer.callback());
    }
    Answer bulk;
    network.request(committee[1].id(), MessageClass::bulk, Method::get_commits, text_of("bulk"), kLong,
                    bulk.callback());
    REQUIRE(eventually([&] { return committee[1].requests_waiting() == 17; }));
    std::vector<Asked> asked;
    for (int at = 0; at < 17; ++at) asked.push_back(committee[1].next_request());
    CHECK(std::count_if(asked.begin(), asked.end(),
                        [](const Asked& one) { return as_text(*one.payload) == "bulk"; }) == 1);
    CHECK(committee[1].requests_waiting() == 0);
    for (const Asked& one : asked) one.replier.finish(text_of("done"));
    for (int at = 0; at < 4; ++at) committee[1].next_request().replier.finish(text_of("done"));
    for (Answer& answer : answers) CHECK(answer.get());
    CHECK(bulk.get());
}

TEST_CASE("a long reply is one message, also when it was given in parts") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    committee[1].serve([](const Asked& asked) {
        if (as_text(*asked.payload) == "whole") return asked.replier.finish(bytes_of(3'000'000, 1));
        asked.replier.send(bytes_of(100'000, 1));
        asked.replier.send(bytes_of(1, 2));
        asked.replier.send(nullptr);
        asked.replier.finish(bytes_of(200'000, 3));
    });
    const auto whole = ask(committee[0], committee[1], "whole");
    REQUIRE(whole);
    CHECK((*whole)->size() == 3'000'000);
    const auto parts = ask(committee[0], committee[1], "parts");
    REQUIRE(parts);
    REQUIRE((*parts)->size() == 300'001);
    CHECK((*parts)->at(100'000) == 2);
    CHECK((*parts)->back() == 3);
}

TEST_CASE("a producer that waits for room sends all, and never has more than a little queued") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    struct Producer : std::enable_shared_from_this<Producer> {
        explicit Producer(Replier to) : replier(std::move(to)) {}
        void go() {
            if (++sent == 60) return replier.finish(bytes_of(100'000));
            replier.send(bytes_of(100'000));
            replier.on_room([self = shared_from_this()](bool wanted) {
                if (wanted) self->go();
            });
        }
        Replier replier;
        int sent = 0;
    };
    committee[1].serve([](const Asked& asked) { std::make_shared<Producer>(asked.replier)->go(); });
    std::atomic<bool> done{false};
    std::atomic<std::size_t> most{0};
    std::thread watch([&] {
        while (!done) {
            most = std::max(most.load(),
                            committee[1].network().queued_bytes(committee[0].id(), MessageClass::bulk));
        }
    });
    Answer answer;
    committee[0].network().request(committee[1].id(), MessageClass::bulk, Method::get_commits, text_of("x"),
                                   kLong, answer.callback());
    const auto reply = answer.get();
    done = true;
    watch.join();
    REQUIRE(reply);
    CHECK((*reply)->size() == 6'000'000);
    CHECK(most <= 400'000);
}

TEST_CASE("a failure is told with its code and its number") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    committee[1].serve([](const Asked& asked) { asked.replier.fail({RpcError::pruned, 4711}); });
    const auto reply = ask(committee[0], committee[1], "x");
    REQUIRE(!reply);
    CHECK(reply.error() == RpcFailure{RpcError::pruned, 4711});
}

TEST_CASE("a request that nobody answers fails as internal") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    committee[1].serve([](const Asked& /*asked*/) {});
    const auto reply = ask(committee[0], committee[1], "x");
    REQUIRE(!reply);
    CHECK(reply.error().code == RpcError::internal);
}

TEST_CASE("a deadline ends a request at both ends, and the connection goes on") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    const auto reply = ask(committee[0], committee[1], "slow", std::chrono::milliseconds(100));
    REQUIRE(!reply);
    CHECK(reply.error().code == RpcError::deadline);
    const Asked late = committee[1].next_request();
    CHECK(eventually([&] { return late.replier.expired(); }));
    late.replier.finish(text_of("too late"));
    committee[1].serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    const auto next = ask(committee[0], committee[1], "next");
    REQUIRE(next);
    CHECK(as_text(**next) == "next");
    CHECK(committee[0].status_of(committee[1].id()).connections == 1);
}

TEST_CASE("cancelling frees both ends") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    Answer answer;
    const RequestId id =
        committee[0].network().request(committee[1].id(), MessageClass::interactive, Method::get_batches,
                                       text_of("x"), kLong, answer.callback());
    const Asked asked = committee[1].next_request();
    CHECK(!asked.replier.expired());
    committee[0].network().cancel(id);
    const auto reply = answer.get();
    REQUIRE(!reply);
    CHECK(reply.error().code == RpcError::cancelled);
    CHECK(eventually([&] { return asked.replier.expired(); }));
    committee[0].network().cancel(id);
    committee[1].serve([](const Asked& one) { one.replier.finish(one.payload); });
    CHECK(ask(committee[0], committee[1], "next"));
    CHECK(answer.calls() == 1);
}

TEST_CASE("a reply that is cancelled in the middle does not disturb the next") {
    Committee committee(2, [](std::size_t /*index*/, NetworkConfig& config) {
        config.limits.member_bytes_per_second = std::uint64_t{1} << 32U;
        config.limits.member_bytes_burst = std::uint64_t{1} << 32U;
    });
    REQUIRE(committee.all_connected());
    committee[1].serve([](const Asked& asked) {
        const bool large = as_text(*asked.payload) == "large";
        asked.replier.finish(large ? bytes_of(6'000'000) : asked.payload);
    });
    for (int round = 0; round < 30; ++round) {
        Answer answer;
        const RequestId id =
            committee[0].network().request(committee[1].id(), MessageClass::bulk, Method::get_batches,
                                           text_of("large"), kLong, answer.callback());
        monodon::test::dawdle(std::chrono::microseconds(300 * round));
        committee[0].network().cancel(id);
        (void)answer.get();
        const auto next = ask(committee[0], committee[1], "next");
        REQUIRE(next);
    }
    CHECK(committee[0].status_of(committee[1].id()).connections == 1);
}

TEST_CASE("requests of a lost connection fail as disconnected, and so do those to nobody") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    Answer open;
    committee[0].network().request(committee[1].id(), MessageClass::interactive, Method::get_batches,
                                   text_of("x"), kLong, open.callback());
    const Asked kept = committee[1].next_request();
    Answer waiting;
    for (int at = 0; at < 20; ++at) {
        committee[0].network().request(committee[1].id(), MessageClass::interactive, Method::get_batches,
                                       text_of("x"), kLong,
                                       at == 19 ? waiting.callback() : Answer().callback());
    }
    committee[1].stop();
    CHECK(open.get().error().code == RpcError::disconnected);
    CHECK(waiting.get().error().code == RpcError::disconnected);
    CHECK(eventually([&] { return !committee[0].network().connected(committee[1].id()); }));
    CHECK(ask(committee[0], committee[1], "x").error().code == RpcError::disconnected);
}

TEST_CASE("what is larger than its method allows never leaves") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    Answer answer;
    committee[0].network().request(committee[1].id(), MessageClass::interactive, Method::get_batches,
                                   bytes_of(70'000), kLong, answer.callback());
    CHECK(answer.get().error().code == RpcError::too_large);
    Answer notice;
    committee[0].network().request(committee[1].id(), MessageClass::consensus, Method::vote, bytes_of(1),
                                   kLong, notice.callback());
    CHECK(notice.get().error().code == RpcError::unknown_method);
    CHECK(!committee[0].network().send(committee[1].id(), MessageClass::consensus, Method::vote,
                                       bytes_of(5000)));
}

TEST_CASE("a client may submit transactions and nothing else") {
    Committee committee(1);
    std::atomic<int> others{0};
    committee[0].serve([&others](const Asked& asked) {
        if (asked.role != Role::client) ++others;
        asked.replier.finish(asked.payload);
    });
    const auto client = connect_client(committee.threads, {.address = client_address(committee)});
    std::vector<Answer> answers(200);
    for (Answer& answer : answers) {
        client->request(MessageClass::data, Method::submit_transactions, bytes_of(1000), kLong,
                        answer.callback());
    }
    for (Answer& answer : answers) CHECK(answer.get());
    CHECK(others == 0);
    Answer refused;
    client->request(MessageClass::interactive, Method::get_batches, text_of("x"), kLong, refused.callback());
    CHECK(refused.get().error().code == RpcError::unauthorised);
    CHECK(committee[0].network().peers().back().role == Role::client);
}

TEST_CASE("a client hears that its connection has ended") {
    Committee committee(1);
    const auto client = connect_client(committee.threads, {.address = client_address(committee)});
    Answer open;
    client->request(MessageClass::data, Method::submit_transactions, bytes_of(10), kLong, open.callback());
    const Asked kept = committee[0].next_request();
    std::promise<std::string> closed;
    client->on_closed([&closed](const std::string& why) { closed.set_value(why); });
    committee[0].stop();
    auto why = closed.get_future();
    REQUIRE(why.wait_for(kPatience) == std::future_status::ready);
    CHECK(why.get().find("shutting down") != std::string::npos);
    CHECK(open.get().error().code == RpcError::disconnected);
    CHECK(!client->connected());
    Answer after;
    client->request(MessageClass::data, Method::submit_transactions, bytes_of(10), kLong, after.callback());
    CHECK(after.get().error().code == RpcError::disconnected);
}

TEST_CASE("a client that asks too much is told to wait") {
    Committee committee(1, [](std::size_t /*index*/, NetworkConfig& config) {
        config.limits.member_requests_per_second = 40;
        config.limits.stranger_divisor = 4;
    });
    committee[0].serve([](const Asked& asked) { asked.replier.finish(nullptr); });
    const auto client = connect_client(committee.threads, {.address = client_address(committee)});
    int limited = 0;
    for (int at = 0; at < 40; ++at) {
        Answer answer;
        client->request(MessageClass::data, Method::submit_transactions, bytes_of(10), kLong,
                        answer.callback());
        const auto reply = answer.get();
        if (reply) continue;
        CHECK(reply.error().code == RpcError::rate_limited);
        CHECK(reply.error().detail >= 1);
        ++limited;
    }
    // Who was told waits a tenth of a second before the next: meanwhile there is a place again.
    CHECK(limited >= 8);
    CHECK(limited <= 30);
}

TEST_CASE("every message of an impaired node is late") {
    Committee committee(2, [](std::size_t index, NetworkConfig& config) {
        if (index == 0) config.impairment.send_delay = std::chrono::milliseconds(60);
    });
    REQUIRE(committee.all_connected());
    committee[0].serve([](const Asked& asked) { asked.replier.finish(asked.payload); });
    const auto begin = std::chrono::steady_clock::now();
    const auto since = [&] { return std::chrono::steady_clock::now() - begin; };
    committee[0].network().send(committee[1].id(), MessageClass::consensus, Method::vote, text_of("late"));
    REQUIRE(eventually([&] { return committee[1].notice_count() == 1; }));
    CHECK(since() >= std::chrono::milliseconds(60));
    // Its replies are late as well, and of a burst each by the same time, not one after the other.
    std::vector<Answer> answers(16);
    for (Answer& answer : answers) {
        committee[1].network().request(committee[0].id(), MessageClass::interactive, Method::get_batches,
                                       text_of("x"), kLong, answer.callback());
    }
    for (Answer& answer : answers) CHECK(answer.get());
    CHECK(since() >= std::chrono::milliseconds(120));
    CHECK(eventually(
        [&] { return committee[1].status_of(committee[0].id()).rtt >= std::chrono::milliseconds(60); }));
}

TEST_CASE("an impaired node never sends what it drops, and the caller is not told") {
    Committee committee(2, [](std::size_t index, NetworkConfig& config) {
        if (index == 0) config.impairment.drop_outgoing = {Method::batch};
    });
    REQUIRE(committee.all_connected());
    CHECK(committee[0].network().send(committee[1].id(), MessageClass::data, Method::batch, text_of("lost")));
    CHECK(committee[0].network().send(committee[1].id(), MessageClass::data, Method::batch_ack,
                                      text_of("kept")));
    REQUIRE(eventually([&] { return committee[1].notice_count() == 1; }));
    CHECK(committee[1].notices().front().method == Method::batch_ack);
}

TEST_CASE("bulk replies can travel compressed") {
    Committee committee(
        2, [](std::size_t /*index*/, NetworkConfig& config) { config.limits.compress_bulk = true; });
    REQUIRE(committee.all_connected());
    Bytes text;
    for (unsigned at = 0; at < 2'000'000; ++at) text.push_back(static_cast<Byte>(at * at >> 8U & (at % 7)));
    committee[1].serve(
        [&](const Asked& asked) { asked.replier.finish(std::make_shared<const Bytes>(text)); });
    Answer answer;
    committee[0].network().request(committee[1].id(), MessageClass::bulk, Method::get_commits, text_of("x"),
                                   kLong, answer.callback());
    const auto reply = answer.get();
    REQUIRE(reply);
    CHECK((**reply == text));
    CHECK(committee[0].status_of(committee[1].id()).bytes_in < 1'500'000);
}

TEST_CASE("a disconnected peer is dialled again") {
    Committee committee(2);
    REQUIRE(committee.all_connected());
    committee[0].network().disconnect(committee[1].id(), "sent a batch without end");
    CHECK(eventually(
        [&] { return committee[0].status_of(committee[1].id()).last_error == "sent a batch without end"; }));
    CHECK(eventually([&] { return committee[0].status_of(committee[1].id()).connections >= 2; }));
    CHECK(committee.all_connected());
}

}  // namespace messages_test
