#include "node/lanes.hpp"

#include <string>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

using namespace monodon::node;

TEST_CASE("what is urgent goes before all that waits, within its lane in order") {
    boost::asio::io_context context;
    const Lanes lanes(context.get_executor());
    std::string done;
    const auto task = [&done](char name) { return [&done, name] { done += name; }; };
    lanes.post(task('a'));
    lanes.post(task('b'));
    lanes.post_urgent(task('X'));
    context.run_one();
    lanes.post_urgent(task('Y'));
    lanes.post_urgent(task('Z'));
    lanes.post(task('c'));
    context.run();
    CHECK(done == "XYZabc");
}
