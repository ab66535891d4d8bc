#include <atomic>
#include <future>
#include <thread>

#include <catch2/catch.hpp>
#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "node/http_guard.hpp"
#include "tests/node/http_support.hpp"
#include "tests/node/support.hpp"

namespace monodon::node::http_test {
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
using test::TemporaryDirectory;
using test::text_response;
using Clock = std::chrono::steady_clock;

constexpr auto kDeadline = 20s;

HttpServerConfig unix_at(const std::filesystem::path& path, std::vector<Route> routes) {
    HttpServerConfig config;
    config.routes = std::move(routes);
    config.socket = path;
    return config;
}

std::string after(const std::string& text, const std::string& part) {
    const std::size_t at = text.find(part);
    return at == std::string::npos ? "" : text.substr(at + part.size());
}

TEST_CASE("percent signs stand for any byte and nothing else") {
    CHECK(percent_decode("a%2Fb%00%ff") == std::string("a/b\0\xff", 5));
    CHECK(percent_decode("a+b") == "a+b");
    for (const char* text : {"%", "%4", "%g0", "a%"}) CHECK_FALSE(percent_decode(text));
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    CHECK(percent_decode(percent_encode(all)) == all);
}

TEST_CASE("a target finds its route, its segments and its query") {
    const auto nothing = [](const HttpRequest&, const Respond&) {};
    const RouteTable table({{HttpMethod::get, "/", {}, "", nothing},
                            {HttpMethod::get, "/v1/kv/{key}", {"encoding"}, "", nothing},
                            {HttpMethod::get, "/v1/kv/index", {}, "", nothing},
                            {HttpMethod::post, "/v1/tx", {}, "", nothing}});
    const auto pattern = [&](std::string_view method, std::string_view target) -> std::string {
        const auto found = table.find(method, target);
        if (const auto* refused = std::get_if<HttpResponse>(&found)) return std::to_string(refused->status);
        return std::get<RouteTable::Match>(found).route->pattern;
    };
    CHECK(pattern("GET", "/") == "/");
    CHECK(pattern("HEAD", "/") == "/");
    CHECK(pattern("GET", "/v1/kv/a") == "/v1/kv/{key}");
    CHECK(pattern("GET", "/v1/kv/index") == "/v1/kv/index");
    CHECK(pattern("GET", "/v1/kv/") == "404");
    CHECK(pattern("GET", "/v1/kv") == "404");
    CHECK(pattern("GET", "/v1/kv/a/b") == "404");
    CHECK(pattern("GET", "/v1/tx") == "405");
    CHECK(pattern("DELETE", "/v1/kv/a") == "405");
    CHECK(pattern("GET", "/v1/kv/%zz") == "400");
    CHECK(pattern("GET", "http://localhost/") == "400");
    CHECK(pattern("GET", "*") == "400");
    CHECK(pattern("GET", "") == "400");
    CHECK(pattern("GET", "/v1/kv/a?encodin=hex") == "400");
    CHECK(pattern("GET", "/v1/kv/a?encoding=hex&encoding=hex") == "400");
    CHECK(pattern("GET", "/v1/kv/a?encoding=%4") == "400");

    auto found = table.find("GET", "/v1/kv/a%2Fb%20?encoding=h%65x&");
    const auto& request = std::get<RouteTable::Match>(found).request;
    CHECK(request.param("key") == "a/b ");
    CHECK(request.query_value("encoding") == "hex");
}

TEST_CASE("a host is ours if it cannot be a foreign page's own name") {
    const std::vector<std::string> names{"validator.example"};
    for (const char* host : {"localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8100", "127.8.9.1",
                             "[::1]:8100", "10.1.2.3:8100", "validator.example", "Validator.Example:1"}) {
        CHECK(is_our_host(host, names, "10.1.2.3"));
    }
    for (const char* host : {"", ":80", "evil.example", "localhost.evil.example", "10.1.2.4",
                             "127.0.0.1.evil.example", "[::2]", "[::1"}) {
        CHECK_FALSE(is_our_host(host, names, "10.1.2.3"));
    }
    CHECK(is_same_origin("http://127.0.0.1:8100", "127.0.0.1:8100"));
    CHECK_FALSE(is_same_origin("http://127.0.0.1:8101", "127.0.0.1:8100"));
    CHECK_FALSE(is_same_origin("null", "null"));
    CHECK(may_change(7, 7));
    CHECK(may_change(0, 7));
    CHECK_FALSE(may_change(8, 7));
}

TEST_CASE("a connection serves one request after the other") {
    Server server(tcp({hello(), echo(100)}));
    RawConnection connection(server.port());
    for (int round = 0; round < 3; ++round) {
        connection.send(kHello);
        const std::string reply = connection.read_until("hello");
        CHECK(contains(reply, "HTTP/1.1 200 OK\r\n"));
        CHECK(contains(reply, "Content-Length: 5\r\n"));
    }
    // Two at once are answered in their order.
    connection.send(std::string(kHello) +
                    "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nabcd");
    CHECK(contains(after(connection.read_until("abcd"), "hello"), "HTTP/1.1 200 OK\r\n"));
    connection.send("GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CHECK(contains(connection.read_all(), "Connection: close\r\n"));
    CHECK(server->counters().accepted == 1);
    CHECK(server->counters().requests == 6);
}

TEST_CASE("HEAD has the header of GET and no body") {
    Server server(tcp({hello()}));
    RawConnection connection(server.port());
    connection.send("HEAD /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const std::string reply = connection.read_all();
    CHECK(contains(reply, "Content-Length: 5\r\n"));
    CHECK(after(reply, "\r\n\r\n").empty());
}

TEST_CASE("what is not a request is refused and ends its connection") {
    Server server(tcp({hello(), echo(100)}));
    const std::pair<std::string, std::string> cases[] = {
        {"nonsense\r\n\r\n", "400"},
        {"GET /hello HTTP/1.1\r\n\r\n", "400"},
        {"GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "400"},
        {"GET http://localhost/hello HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
        {"GET /hello HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n", "400"},
        {"GET /hello HTTP/1.1\r\nHost: localhost\r\nA: b\x01\r\n\r\n", "400"},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", "400"},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
         "400"},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: "
         "chunked\r\n\r\nabcd",
         "400"},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
        {"GET /hello HTTP/2.0\r\nHost: localhost\r\n\r\n", "400"},
        {"GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
        {"PUT /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"},
        {"BREW /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"},
        {"GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421"},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nContent-Length: "
         "1\r\n\r\na",
         "403"},
        {"GET /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\na", "413"},
    };
    for (const auto& [request, status] : cases) {
        INFO(request);
        RawConnection connection(server.port());
        connection.send(request);
        const std::string reply = connection.read_all();
        CHECK(contains(reply, "HTTP/1.1 " + status + " "));
        CHECK(contains(after(reply, "\r\n\r\n"), "{\"error\":{\"code\":"));
    }
}

TEST_CASE("a page of our own may post") {
    Server server(tcp({echo(100)}));
    const std::string host = "127.0.0.1:" + std::to_string(server.port());
    RawConnection connection(server.port());
    connection.send("POST /echo HTTP/1.1\r\nHost: " + host + "\r\nOrigin: http://" + host +
                    "\r\nContent-Length: 2\r\n\r\nok");
    CHECK(contains(connection.read_until("ok"), "200 OK"));
}

TEST_CASE("a header above its limit is refused") {
    Server server(tcp({hello()}));
    RawConnection connection(server.port());
    connection.send("GET /hello HTTP/1.1\r\nHost: localhost\r\nA: " + std::string(17 * 1024, 'a') +
                    "\r\n\r\n");
    CHECK(contains(connection.read_all(), "HTTP/1.1 431 "));
    RawConnection fits(server.port());
    fits.send("GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nA: " +
              std::string(15 * 1024, 'a') + "\r\n\r\n");
    CHECK(contains(fits.read_all(), "HTTP/1.1 200 "));
}

TEST_CASE("a body above the limit of its path is refused, with and without a stated length") {
    Server server(tcp({echo(1000)}));
    const auto status = [&](const std::string& request) {
        RawConnection connection(server.port());
        connection.send(request);
        return connection.read_all().substr(9, 3);
    };
    const std::string head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    CHECK(status(head + "Content-Length: 1000\r\n\r\n" + std::string(1000, 'x')) == "200");
    CHECK(status(head + "Content-Length: 1001\r\n\r\n" + std::string(1001, 'x')) == "413");
    CHECK(status(head + "Content-Length: 99999999999999\r\n\r\n") == "413");
    CHECK(status(head + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + std::string(1000, 'x') +
                 "\r\n0\r\n\r\n") == "200");
    CHECK(status(head + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') +
                 "\r\n0\r\n\r\n") == "413");
    // The client of this project takes the answer even while it still writes.
    HttpClient client = HttpClient::tcp({"127.0.0.1", server.port()});
    const auto reply = client.post("/echo", Bytes(600 * 1024), kDeadline);
    REQUIRE(reply);
    CHECK(reply->status == 413);
}

TEST_CASE("a client that asks before it sends a body is told to go on, or not") {
    Server server(tcp({echo(1000)}));
    RawConnection connection(server.port());
    connection.send(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    connection.read_until("HTTP/1.1 100 Continue\r\n\r\n");
    connection.send("abc");
    CHECK(contains(connection.read_until("abc"), "200 OK"));
    connection.send(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3000\r\n\r\n");
    CHECK(connection.read_all().starts_with("HTTP/1.1 413 "));
}

TEST_CASE("a handler may answer later and from another thread, and only once") {
    std::vector<std::thread> threads;
    std::atomic<bool> done{false};
    Server server(tcp({get("/later", [&](const HttpRequest&, const Respond& respond) {
        threads.emplace_back([&done, respond] {
            respond(text_response("first"));
            respond(text_response("second"));
            done = true;
        });
    })}));
    RawConnection connection(server.port());
    connection.send("GET /later HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const std::string reply = connection.read_all();
    CHECK(contains(reply, "first"));
    CHECK_FALSE(contains(reply, "second"));
    for (std::thread& thread : threads) thread.join();
    CHECK(done);
}

TEST_CASE("a handler that forgets its request answers 500, one that takes too long 504") {
    std::vector<Respond> kept;
    HttpServerConfig config =
        tcp({get("/forget", [](const HttpRequest&, const Respond&) {}),
             get("/keep", [&](const HttpRequest&, Respond respond) { kept.push_back(respond); })});
    config.limits.handler = 200ms;
    Server server(std::move(config));
    HttpClient client = HttpClient::tcp({"127.0.0.1", server.port()});
    CHECK(client.get("/forget", kDeadline)->status == 500);
    CHECK(client.get("/keep", kDeadline)->status == 504);
    // Too late, and harmless.
    REQUIRE(kept.size() == 1);
    kept.front()(text_response("late"));
    CHECK(client.get("/forget", kDeadline)->status == 500);
}

TEST_CASE("a client that hangs up frees its place, and whoever works for it is told") {
    std::promise<Respond> asked;
    std::promise<void> gone;
    Server server(tcp({get("/wait", [&](const HttpRequest&, const Respond& respond) {
        respond.when_gone([&] { gone.set_value(); });
        asked.set_value(respond);
    })}));
    auto connection = std::make_unique<RawConnection>(server.port());
    connection->send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const Respond respond = asked.get_future().get();
    CHECK(server->counters().connections == 1);
    connection.reset();
    CHECK(gone.get_future().wait_for(kDeadline) == std::future_status::ready);
    CHECK(test::eventually([&] { return server->counters().connections == 0; }));
    respond(text_response("late"));
}

TEST_CASE("a request that is sent early waits for its turn") {
    std::promise<Respond> asked;
    std::atomic<bool> gone{false};
    Server server(tcp({hello(), get("/wait", [&](const HttpRequest&, const Respond& respond) {
                           respond.when_gone([&] { gone = true; });
                           asked.set_value(respond);
                       })}));
    RawConnection connection(server.port());
    connection.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const Respond respond = asked.get_future().get();
    connection.send(kHello);
    respond(text_response("waited"));
    const std::string reply = connection.read_until("hello");
    CHECK(contains(reply.substr(0, reply.find("hello")), "waited"));
    CHECK_FALSE(gone);
}

TEST_CASE("an answer may come after its server is gone") {
    std::promise<Respond> asked;
    auto server = std::make_unique<Server>(
        tcp({get("/keep", [&](const HttpRequest&, const Respond& respond) { asked.set_value(respond); })}));
    RawConnection connection(server->port());
    connection.send("GET /keep HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const Respond respond = asked.get_future().get();
    server.reset();
    respond(text_response("late"));
    CHECK_FALSE(contains(connection.read_all(), "late"));
}

TEST_CASE("stopping waits for requests under way, but not for ever") {
    std::promise<Respond> asked;
    HttpServerConfig config =
        tcp({hello(),
             get("/wait", [&](const HttpRequest&, const Respond& respond) { asked.set_value(respond); })});
    config.limits.stop = 10s;
    Server server(std::move(config));
    RawConnection idle(server.port());
    idle.send(kHello);
    idle.read_until("hello");
    RawConnection waiting(server.port());
    waiting.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const Respond respond = asked.get_future().get();

    std::promise<void> stopped;
    server->stop([&] { stopped.set_value(); });
    auto done = stopped.get_future();
    // Idle connections end at once, new ones are not taken, the request under way is answered.
    CHECK(idle.read_all().empty());
    CHECK_FALSE(HttpClient::tcp({"127.0.0.1", server.port()}).get("/hello", kDeadline));
    CHECK(done.wait_for(0s) == std::future_status::timeout);
    respond(text_response("in time"));
    const std::string reply = waiting.read_all();
    CHECK(contains(reply, "in time"));
    CHECK(contains(reply, "Connection: close"));
    CHECK(done.wait_for(kDeadline) == std::future_status::ready);
    server.stopped();
}

TEST_CASE("stopping cuts off what does not end") {
    std::promise<Respond> asked;
    Server server(
        tcp({get("/wait", [&](const HttpRequest&, const Respond& respond) { asked.set_value(respond); })}));
    RawConnection waiting(server.port());
    waiting.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const Respond respond = asked.get_future().get();
    const auto since = Clock::now();
    server.stop();
    CHECK(Clock::now() - since < 5s);
    CHECK(waiting.read_all().empty());
}

TEST_CASE("a Unix socket has mode 0600, goes with its server, and replaces a stale one but nothing else") {
    const TemporaryDirectory directory;
    const auto path = directory / "admin.sock";
    struct stat status {};
    {
        Server server(unix_at(path, {hello()}));
        REQUIRE(::stat(path.c_str(), &status) == 0);
        CHECK(S_ISSOCK(status.st_mode));
        CHECK((status.st_mode & 0777) == 0600);
        const auto reply = HttpClient::unix_socket(path).get("/hello", kDeadline);
        REQUIRE(reply);
        CHECK(reply->body == "hello");
    }
    CHECK_FALSE(std::filesystem::exists(path));

    // What a killed process leaves behind.
    const int stale = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(static_cast<char*>(address.sun_path), path.string().size());
    REQUIRE(::bind(stale, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(stale);
    {
        Server server(unix_at(path, {hello()}));
        CHECK(HttpClient::unix_socket(path).get("/hello", kDeadline));
    }

    test::write_text(path, "precious");
    test::Io io;
    HttpServer server(io.executor(), unix_at(path, {hello()}));
    const auto started = server.start();
    REQUIRE_FALSE(started);
    CHECK(contains(started.error(), "is not a socket"));
    CHECK(test::read_text(path) == "precious");
}

TEST_CASE("a Unix socket of a group has mode 0660") {
    const TemporaryDirectory directory;
    const auto path = directory / "admin.sock";
    const group* own = ::getgrgid(::getegid());
    REQUIRE(own != nullptr);
    HttpServerConfig config = unix_at(path, {hello()});
    config.group = own->gr_name;
    Server server(config);
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0660);
    CHECK(status.st_gid == ::getegid());

    config.socket = directory / "other.sock";
    config.group = "no-such-group";
    test::Io io;
    HttpServer none(io.executor(), config);
    CHECK(contains(none.start().error(), "there is no group no-such-group"));
    CHECK_FALSE(std::filesystem::exists(directory / "other.sock"));
}

TEST_CASE("through a Unix socket only the owner and root may change anything") {
    const TemporaryDirectory directory;
    const auto path = directory / "admin.sock";
    Server server(unix_at(path, {hello(), echo(100)}));
    CHECK(HttpClient::unix_socket(path).post("/echo", as_bytes("x"), kDeadline)->status == 200);
    if (::geteuid() != 0) return;  // Only root can become somebody else.

    REQUIRE(::chmod(directory.path().c_str(), 0711) == 0);
    REQUIRE(::chmod(path.c_str(), 0666) == 0);
    unsigned read = 0;
    unsigned changed = 0;
    // The system call changes the user of this one thread, the library's function that of all.
    std::thread stranger([&] {
        constexpr uid_t kNobody = 65534;
        constexpr uid_t kSame = static_cast<uid_t>(-1);
        if (::syscall(SYS_setresuid, kSame, kNobody, kSame) != 0) return;
        HttpClient client = HttpClient::unix_socket(path);
        if (const auto reply = client.get("/hello", kDeadline)) read = reply->status;
        if (const auto reply = client.post("/echo", as_bytes("x"), kDeadline)) changed = reply->status;
    });
    stranger.join();
    CHECK(read == 200);
    CHECK(changed == 403);
}

TEST_CASE("a server can be given its socket") {
    const int given = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(given, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    HttpServerConfig config = tcp({hello()});
    config.listen_fd = given;
    Server server(std::move(config));
    CHECK(server.port() != 0);
    CHECK(HttpClient::tcp({"127.0.0.1", server.port()}).get("/hello", kDeadline)->body == "hello");
}

TEST_CASE("an address that is taken is an error in words") {
    Server server(tcp({hello()}));
    HttpServerConfig config = tcp({hello()});
    config.listen->port = server.port();
    test::Io io;
    HttpServer other(io.executor(), std::move(config));
    const auto started = other.start();
    REQUIRE_FALSE(started);
    CHECK(contains(started.error(), "127.0.0.1:" + std::to_string(server.port())));
}

TEST_CASE("the client tells a server that is not there from one that is slow and one that talks nonsense") {
    const TemporaryDirectory directory;
    const auto none = HttpClient::unix_socket(directory / "none").get("/", kDeadline);
    REQUIRE_FALSE(none);
    CHECK(none.error().kind == HttpFailure::Kind::connect);

    std::vector<Respond> kept;
    Server server(
        tcp({get("/keep", [&](const HttpRequest&, const Respond& respond) { kept.push_back(respond); })}));
    const auto slow = HttpClient::tcp({"127.0.0.1", server.port()}).get("/keep", 100ms);
    REQUIRE_FALSE(slow);
    CHECK(slow.error().kind == HttpFailure::Kind::timeout);

    test::Babbler babbler("SSH-2.0-nonsense\r\n");
    const auto nonsense = HttpClient::tcp({"127.0.0.1", babbler.port()}).get("/", kDeadline);
    REQUIRE_FALSE(nonsense);
    CHECK(nonsense.error().kind == HttpFailure::Kind::broken);
}

TEST_CASE("the client keeps its connection and makes a new one when the server has closed it") {
    HttpServerConfig config = tcp({hello()});
    config.limits.idle = 100ms;
    Server server(std::move(config));
    HttpClient client = HttpClient::tcp({"127.0.0.1", server.port()});
    CHECK(client.get("/hello", kDeadline)->body == "hello");
    CHECK(client.get("/hello", kDeadline)->body == "hello");
    CHECK(server->counters().accepted == 1);
    REQUIRE(test::eventually([&] { return server->counters().connections == 0; }));
    CHECK(client.get("/hello", kDeadline)->body == "hello");
    CHECK(server->counters().accepted == 2);
}

}  // namespace
}  // namespace monodon::node::http_test
