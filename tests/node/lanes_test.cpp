#include "node/lanes.hpp"

#include <string>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

namespace lanes_test {

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

TEST_CASE("what is urgent does not keep the others waiting for ever") {
    boost::asio::io_context context;
    const Lanes lanes(context.get_executor());
    std::string done;
    const auto task = [&done](char name) { return [&done, name] { done += name; }; };
    const auto urgent = [&](std::size_t count) {
        for (std::size_t at = 0; at < count; ++at) lanes.post_urgent(task('X'));
    };
    // What went while nobody waited does not count.
    urgent(5);
    context.run();
    context.restart();
    done.clear();
    lanes.post(task('a'));
    lanes.post(task('b'));
    urgent(3 * Lanes::kUrgentInARow);
    context.run();
    const std::string row(Lanes::kUrgentInARow, 'X');
    CHECK(done == row + "a" + row + "b" + row);
}

}  // namespace lanes_test
