#include <exception>
#include <string>
#include <vector>

#include "tools/cli.hpp"
#include "tools/output.hpp"

int main(int argc, char** argv) {
    int code = 0;
    try {
        code = monodon::tools::run_command_line(std::vector<std::string>(argv + 1, argv + argc));
    } catch (const std::exception& error) {
        code = monodon::tools::report({monodon::tools::kExitFailed, error.what()});
    }
    return monodon::tools::finish_output(code);
}
