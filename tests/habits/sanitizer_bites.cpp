// Must end badly: proves that a sanitizer build ends a test at the first fault instead of printing and going
// on.
#include <climits>
#include <memory>
#include <string_view>
#include <thread>

namespace {

/// Undefined: overflows.
int overflow(int count) {
    int value = INT_MAX;
    value += count;
    return value;
}

/// Reads behind the end of an allocation.
int read_behind(int count) {
    const auto bytes = std::make_unique<char[]>(static_cast<std::size_t>(count));
    const volatile char* behind = bytes.get() + count;  // volatile: must not be optimised away
    return *behind;
}

/// Two threads write to one number.
int race(int count) {
    int value = 0;
    std::thread other([&value, count] { value += count; });
    value += count;
    other.join();
    return value;
}

}  // namespace

int main(int count, char** words) {
    const std::string_view kind = count > 1 ? words[1] : "";
    const int value = kind == "address"  ? read_behind(count)
                      : kind == "thread" ? race(count)
                                         : overflow(count);
    return value == INT_MAX ? 1 : 0;
}
